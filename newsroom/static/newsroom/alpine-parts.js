// What unfold's attributes name, registered with the Alpine that evaluates without eval (docs/decisions/0107).
// That one sees no global, so each function is wrapped, and `window` is what the templates read of it.
document.addEventListener("alpine:init", () => {
  const { Alpine } = window;
  for (const name of ["theme", "searchForm", "searchDropdown", "searchCommand", "tabNavigation"]) {
    if (typeof window[name] === "function") Alpine.data(name, (...values) => window[name](...values));
  }

  Alpine.data("page", () => ({
    activeTab: "",
    sidebarMobileOpen: false,
    sidebarDesktopOpen: localStorage.getItem("sidebarDesktopOpen") !== "0",
    window: { location: { pathname: window.location.pathname, search: window.location.search } },
    sortRecords: (event) => window.sortRecords(event),
    moveRecords: (event) => moveRecords(event),
    init() {
      const { tab } = document.body.dataset;
      this.activeTab = tab ? window.getCurrentTab() || tab : "";
      this.$watch("sidebarDesktopOpen", (open) => localStorage.setItem("sidebarDesktopOpen", open ? "1" : "0"));
    },
  }));
});
