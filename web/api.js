// The public API as these pages call it. The access token lives in this module's memory; the refresh token in a cookie
// that no script can read.
import { kept } from "./dom.js";

const IN_COOKIE = { "Refresh-Token-In": "cookie" };
const SPARE_MS = 20_000;
const PATIENCE_MS = 60_000;

let access = null;
let expires = 0;
let account = null;

/** The service refused: `status`, `detail`, and `errors` of single fields. */
export class Problem extends Error {
	constructor(status, body, retryAfter) {
		super(body.detail || body.title || "Something went wrong.");
		Object.assign(this, { status, errors: body.errors || [], problems: body.problems, retryAfter });
	}

	/** Whether the same request may do later: nothing was decided yet. */
	get mayPass() {
		return this.status >= 500 || this.status === 429 || (this.status === 409 && this.retryAfter > 0);
	}
}

/** The service was not reached: whether it got the request is not known. */
export class Unreached extends Error {
	constructor() {
		super("The service cannot be reached.");
	}

	get mayPass() {
		return true;
	}
}

export const user = () => account;

export function newKey() {
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function send(method, path, { body, key, type = "application/json", headers = {} } = {}) {
	const all = { Accept: "application/json", ...headers };
	if (body !== undefined) all["Content-Type"] = type;
	if (key) all["Idempotency-Key"] = key;
	const options = { method, headers: all, credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE_MS) };
	if (body !== undefined) options.body = type === "application/json" && typeof body !== "string" ? JSON.stringify(body) : body;
	let reply;
	let text;
	try {
		reply = await fetch(path, options);
		text = await reply.text();
	} catch {
		throw new Unreached();
	}
	let content = null;
	try {
		content = text ? JSON.parse(text) : null;
	} catch {
		if (reply.ok) throw new Unreached();
	}
	if (reply.ok) return content;
	throw new Problem(reply.status, content || {}, Number(reply.headers.get("Retry-After")) || 0);
}

function take(tokens) {
	access = tokens.access_token;
	expires = Date.now() + tokens.expires_in * 1000 - SPARE_MS;
	account = tokens.user;
	kept.set("signed-in", "1");
	return account;
}

function forget() {
	access = account = null;
	kept.set("signed-in", null);
}

/** The learner is done here: what they wrote goes, too. A login that merely ended keeps it for the next one. */
function clear(id) {
	for (const name of kept.names()) if (name === "spending" || name.startsWith(`draft.${id}.`)) kept.set(name, null);
	forget();
}

const together = (work) => (navigator.locks ? navigator.locks.request("gradus.refresh", work) : work());

/** Spend the cookie for the next one, under a key that is kept until the reply is there: a lost reply costs no login. */
async function spend(key = kept.get("spending") || newKey()) {
	kept.set("spending", key);
	try {
		const tokens = await send("POST", "/api/auth/refresh", { key, headers: IN_COOKIE });
		kept.set("spending", null);
		return tokens;
	} catch (error) {
		if (error.status) kept.set("spending", null);
		if (error.status === 422) return spend(newKey()); // the reply had come after all: another cookie, another key
		throw error;
	}
}

let refreshing = null;
/**
 * The next access token, by the cookie; tabs take turns, for each token is spent once. Where another tab has signed in
 * somebody else, nothing of this one is sent in their name: the page begins anew as theirs.
 */
function refresh() {
	refreshing ??= together(() => spend())
		.then((tokens) => {
			if (!account || tokens.user.id === account.id) return take(tokens);
			location.reload();
			throw new Unreached();
		})
		.finally(() => {
			refreshing = null;
		});
	return refreshing;
}

export async function resume() {
	if (!kept.get("signed-in")) return null;
	try {
		return await refresh();
	} catch (error) {
		if (error.status === 401) forget();
		else throw error;
		return null;
	}
}

export const signUp = async (body) => take(await send("POST", "/api/auth/register", { body, headers: IN_COOKIE }));
export const signIn = async (body) => take(await send("POST", "/api/auth/login", { body, headers: IN_COOKIE }));

/** Only the service can end a login, for no script reaches the cookie: an error means that it goes on. */
export async function signOut() {
	const { id } = account;
	try {
		await call("POST", "/api/auth/logout", { headers: IN_COOKIE });
	} catch (error) {
		if (error.status !== 401) throw error;
	}
	clear(id);
}

export async function deleteAccount(password) {
	const { id } = account;
	await call("DELETE", "/api/user", { body: { password }, headers: IN_COOKIE });
	clear(id);
}

/** One request in the name of who is signed in; a token that is about to end is renewed first. */
export async function call(method, path, { headers = {}, ...options } = {}) {
	const bearer = () => ({ ...options, headers: { ...headers, Authorization: `Bearer ${access}` } });
	try {
		if (!access || Date.now() > expires) await refresh();
		return await send(method, path, bearer());
	} catch (error) {
		if (error.status !== 401) throw error;
	}
	try {
		await refresh();
		return await send(method, path, bearer());
	} catch (error) {
		if (error.status === 401) {
			forget();
			dispatchEvent(new Event("gradus:signed-out"));
		}
		throw error;
	}
}

export const get = (path) => call("GET", path);
export const post = (path, body, key = newKey()) => call("POST", path, { body: body ?? {}, key });

/** A path with its query; empty values are left out. */
export function to(path, query = {}) {
	const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
	return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

class Titles extends Map {
	of(topic) {
		return this.get(topic) || topic;
	}
}

/** What does not change while the page is open is asked for once. */
function once(ask) {
	let asked = null;
	return async () => {
		try {
			return await (asked ??= ask());
		} catch (error) {
			asked = null;
			throw error;
		}
	};
}

export const topicTitles = once(async () => new Titles((await get("/api/topics")).topics.map((topic) => [topic.topic, topic.title])));
export const policyInForce = once(() => get("/api/adaptive/policy"));

/** What several paths give, as one object, with `titles` beside it. */
export const withTitles = async (...paths) => Object.assign({}, ...(await Promise.all([...paths.map(get), topicTitles().then((titles) => ({ titles }))])));
