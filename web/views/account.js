// The account: how it looks, its data, its password, its end; and the door to it.
import * as api from "../api.js";
import { a, h, localTime, percent, plural } from "../dom.js";
import { acting, button, confirm, field, form, h1, heading, say, section, select } from "../ui.js";

export const page = {
	kind: "narrow",
	load: () => api.withTitles("/api/auth/me", "/api/user/progress"),
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
	return section("Your data", h("p", "Everything that is stored about you, as one JSON file."), h("div.actions", get));
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
	return section("Password", content);
}

/** Ask whether what `text` says shall go, and reset a topic, or `all`. */
export const askReset = (place, topic, title, text, options) =>
	confirm(title, `${text} It cannot be brought back. Sessions and answers stay in the history.`, options, async () => {
		const done = await api.post("/api/user/reset_mastery", { topic });
		say(done.message, "good");
		place.again();
	});

function reset({ topics, titles }, place) {
	const names = Object.keys(topics);
	const which = select("topic", [...names.map((name) => [name, `${titles.of(name)} (${percent(topics[name].mastery)})`]), ["all", "All topics"]]);
	const ask = () => {
		const all = which.value === "all";
		const answers = (all ? names : [which.value]).reduce((sum, name) => sum + topics[name].questions_attempted, 0);
		askReset(
			place,
			which.value,
			all ? "Reset everything?" : `Reset ${titles.of(which.value)}?`,
			`What ${plural(answers, "answer")} say of ${all ? plural(names.length, "topic") : titles.of(which.value)} goes, and you start from 0.`,
			{ label: all ? "Reset all topics" : "Reset this topic", word: all ? "all" : null },
		);
	};
	return section("Start over", names.length ? [h("p", "Reset your mastery of one topic, or of all. You are told what goes before it goes."), h("div.joined", field("What to reset", which), button("Reset …", ask, "danger-quiet"))] : h("p.muted", "There is no mastery to reset yet."));
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
	return section("Delete the account", h("p", "Everything goes, at once and for good."), h("div.actions", button("Delete …", ask, "danger-quiet")));
}

const input = (name, autocomplete, more = {}) => h("input", { name, autocomplete, required: true, spellcheck: "false", autocapitalize: "none", ...more });

function door(title, sub, content, other) {
	return h("div.door", h("section", h1(title), h("p.sub", sub), content, h("p.other", other)));
}

/** Where to go after signing in: an address of these pages only. */
function next(place) {
	const given = place.query.get("next") || "";
	return /^\/[a-z]/.test(given) ? given : "/progress";
}

const withNext = (path, place) => (place.query.get("next") ? `${path}?next=${encodeURIComponent(place.query.get("next"))}` : path);

export const signIn = {
	open: true,
	kind: "narrow",
	load: async () => null,
	draw(_data, place) {
		const login = input("login", "username");
		const password = input("password", "current-password", { type: "password" });
		const content = form(
			[field("Username or email", login), field("Password", password)],
			async () => {
				await api.signIn({ login: login.value, password: password.value });
				await place.go(next(place), { replace: true });
			},
			{ label: "Sign in" },
		);
		return door("Welcome back", "Answer in your own words, and see what you have mastered.", content, [
			"New here? ",
			a(withNext("/sign-up", place), "Make an account"),
		]);
	},
};

export const signUp = {
	open: true,
	kind: "narrow",
	load: async () => null,
	draw(_data, place) {
		const username = input("username", "username");
		const email = input("email", "email", { type: "email" });
		const password = input("password", "new-password", { type: "password", minlength: 8 });
		const content = form(
			[
				field("Username", username, { hint: "2 to 64 characters, no spaces" }),
				field("Email", email),
				field("Password", password, { hint: "At least 8 characters; a sentence is easy to remember" }),
			],
			async () => {
				await api.signUp({ username: username.value, email: email.value, password: password.value });
				await place.go(next(place), { replace: true });
			},
			{ label: "Make an account" },
		);
		return door("Make an account", "Practise technical interviews, one good question after another.", content, [
			"Have one already? ",
			a(withNext("/sign-in", place), "Sign in"),
		]);
	},
};
