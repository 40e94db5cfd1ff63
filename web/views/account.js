// The account: how it looks, its data, its password, its end.
import * as api from "../api.js";
import { h, localTime, percent, plural } from "../dom.js";
import { acting, button, confirm, field, form, heading, say } from "../ui.js";

export const page = {
	kind: "narrow",
	async load() {
		const [me, progress, titles] = await Promise.all([api.get("/api/auth/me"), api.get("/api/user/progress"), api.topicTitles()]);
		return { user: me.user, topics: progress.topics, titles };
	},
	draw(data, place) {
		const { user } = data;
		return [
			heading(user.username, `${user.email} · since ${localTime(user.created_at)}`, acting("Sign out", () => leave(place))),
			look(place),
			exported(),
			password(user),
			reset(data, place),
			deletion(user, place),
		];
	},
};

async function leave(place) {
	try {
		await api.signOut();
	} catch (error) {
		throw new Error(`You are still signed in. ${error.message}`);
	}
	await place.go("/sign-in");
}

function look(place) {
	const choice = ([name, label]) => {
		const box = h("input", { type: "radio", name: "theme", value: name, checked: place.theme.now() === name, onchange: () => place.theme.choose(name) });
		return h("label.pick", box, h("span", label));
	};
	return h("section", h("fieldset.inline", h("legend", "Appearance"), place.theme.all.map(choice)));
}

function exported() {
	const get = acting("Download my data", async () => {
		const content = await api.get("/api/user/export");
		const url = URL.createObjectURL(new Blob([JSON.stringify(content, null, 2)], { type: "application/json" }));
		h("a", { href: url, download: "gradus-export.json" }).click();
		setTimeout(() => URL.revokeObjectURL(url), 10_000);
		say("Your data was put together.", "good");
	});
	return h("section", h("h2", "Your data"), h("p", "Everything that is stored about you, as one JSON file."), h("div.actions", get));
}

/** For password managers: whose password it is. */
const whose = (user) => h("input", { type: "text", autocomplete: "username", value: user.username, hidden: true, readonly: true });

function password(user) {
	const now = h("input", { name: "current_password", type: "password", autocomplete: "current-password", required: true });
	const next = h("input", { name: "new_password", type: "password", autocomplete: "new-password", required: true });
	const content = form(
		[whose(user), field("Password now", now), field("New password", next, { hint: "At least 8 characters. Every other login of yours ends." })],
		async (whole) => {
			await api.post("/api/auth/password", { current_password: now.value, new_password: next.value });
			whole.reset();
			say("The password was changed.", "good");
		},
		{ label: "Change the password", kind: "plain" },
	);
	return h("section", h("h2", "Password"), content);
}

function reset({ topics, titles }, place) {
	const names = Object.keys(topics);
	const title = (name) => titles.get(name) || name;
	const which = h("select", { name: "topic" }, names.map((name) => h("option", { value: name }, `${title(name)} (${percent(topics[name].mastery)})`)), h("option", { value: "all" }, "All topics"));
	const ask = () => {
		const all = which.value === "all";
		const answers = (all ? names : [which.value]).reduce((sum, name) => sum + topics[name].questions_attempted, 0);
		confirm(
			all ? "Reset everything?" : `Reset ${title(which.value)}?`,
			`What ${plural(answers, "answer")} say of ${all ? plural(names.length, "topic") : title(which.value)} goes, and you start from 0. It cannot be brought back. Sessions and answers stay in the history.`,
			{ label: all ? "Reset all topics" : "Reset this topic", word: all ? "all" : null },
			async () => {
				const done = await api.post("/api/user/reset_mastery", { topic: which.value });
				say(done.message, "good");
				place.again();
			},
		);
	};
	return h("section", h("h2", "Start over"), names.length ? [h("p", "Reset your mastery of one topic, or of all. You are told what goes before it goes."), h("div.joined", field("What to reset", which), button("Reset …", ask, "danger-quiet"))] : h("p.muted", "There is no mastery to reset yet."));
}

function deletion(user, place) {
	const ask = () => {
		const input = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
		confirm(
			"Delete your account?",
			"Your account, mastery, sessions and answers are deleted at once and for good. Download your data first if you want to keep it.",
			{ label: "Delete my account", word: user.username, fields: [whose(user), field("Password", input)] },
			async () => {
				await api.deleteAccount(input.value);
				say("Your account is gone.");
				await place.go("/sign-in");
			},
		);
	};
	return h("section", h("h2", "Delete the account"), h("p", "Everything goes, at once and for good."), h("div.actions", button("Delete …", ask, "danger-quiet")));
}
