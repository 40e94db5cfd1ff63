// Before the first paint: the theme that was chosen, so that nothing flashes. Without a choice the system's holds.
(() => {
	let theme = null;
	try {
		theme = localStorage.getItem("gradus.theme");
	} catch {
		// storage can be forbidden; then the system's theme holds
	}
	if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
