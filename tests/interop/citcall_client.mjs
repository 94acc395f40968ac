// A CitCall partner in JavaScript: Node's own modules only, nothing of this product.
//
// Reads {"base_url", "path", "credentials": {"userid", "api_key"}} from standard input, asks for
// missed calls, opens the sealed replies and checks the plain failures. Prints one JSON object and
// exits with 0 when everything was as the contract says.

import { readFileSync } from "node:fs";
import { strict as assert } from "node:assert";
import { randomInt, randomUUID } from "node:crypto";

const { base_url, path, credentials } = JSON.parse(readFileSync(0, "utf8"));
const { userid, api_key } = credentials;
const url = base_url.replace(/\/$/, "") + (path ?? "/v2/asynccall");
const AUTHORIZATION_FAILED = { rc: "98", info: "Authorization failed" };

function shift(bytes, key, sign) {
  const shifted = Buffer.alloc(bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    const place = i % key.length === 0 ? key.length - 1 : (i % key.length) - 1;
    shifted[i] = (bytes[i] + sign * key.charCodeAt(place) + 128) % 128;
  }
  return shifted;
}

const reversed = (text) => [...text].reverse().join("");

function asciiJson(value) {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (character) => "\\u" + character.charCodeAt(0).toString(16).padStart(4, "0"),
  );
}

function seal(value, { time = Math.floor(Date.now() / 1000), key = api_key } = {}) {
  const text = Buffer.from(`${reversed(String(time))}.${asciiJson(value)}`, "ascii");
  return shift(shift(text, userid, 1), key, 1).toString("base64url");
}

function open(data) {
  const text = shift(shift(Buffer.from(data, "base64url"), api_key, -1), userid, -1).toString();
  const dot = text.indexOf(".");
  const age = Date.now() / 1000 - Number(reversed(text.slice(0, dot)));
  assert.ok(Math.abs(age) <= 480, "the reply's time stamp is outside the window");
  return JSON.parse(text.slice(dot + 1));
}

async function post(data, { authorization, method = "POST" } = {}) {
  const response = await fetch(url, {
    method,
    headers: {
      Authorization: authorization ?? Buffer.from(`${userid}:${api_key}`).toString("base64"),
      "Content-Type": "application/json",
    },
    body: method === "GET" ? undefined : JSON.stringify({ data }),
  });
  assert.equal(response.status, 200, "every reply has status 200");
  const body = await response.json();
  return typeof body.data === "string" ? open(body.data) : body;
}

const msisdn = "0812" + String(randomInt(10 ** 8)).padStart(8, "0");
const order = { msisdn, gateway: 1, clientUniqueId: `zoë/${randomUUID()}` };

const first = await post(seal(order));
assert.deepEqual(
  Object.keys(first).filter((name) => name !== "trxid"),
  ["rc", "info", "msisdn", "token", "gateway", "clientUniqueId"],
);
assert.equal(first.rc, "00");
assert.equal(first.info, "success");
assert.equal(first.msisdn, "+62" + msisdn.slice(1));
assert.equal(first.gateway, 1);
assert.equal(first.clientUniqueId, order.clientUniqueId);
assert.match(first.token, /^\+?\d{8,16}$/);

const basic = "Basic " + Buffer.from(`${userid}:${api_key}`).toString("base64");
const repeat = seal({ ...order, gateway: 2 });
assert.deepEqual(await post(repeat, { authorization: basic }), first, "a repeat is the first reply");
assert.deepEqual(await post(repeat), first, "and so is the very same data");

const nameless = seal({ msisdn, gateway: 4 });
const another = await post(nameless, { authorization: `Apikey ${api_key}` });
assert.equal(another.rc, "00");
assert.ok(!("clientUniqueId" in another));
assert.deepEqual(await post(nameless), AUTHORIZATION_FAILED, "without an id it is a replay");
assert.notEqual(another.token.slice(-4), first.token.slice(-4), "never the same password twice");

const now = Math.floor(Date.now() / 1000);
assert.deepEqual(await post(seal(order, { time: now - 600 })), AUTHORIZATION_FAILED);
assert.deepEqual(await post(seal(order, { key: "0".repeat(32) })), AUTHORIZATION_FAILED);
assert.equal((await post(seal({ gateway: 1 }))).rc, "88");
assert.equal((await post(seal({ msisdn, gateway: 5 }))).rc, "06");
assert.equal((await post(seal(order), { authorization: "Apikey " + "0".repeat(32) })).rc, "96");
const nobody = Buffer.from(`nobody-${now}:${api_key}`).toString("base64");
assert.equal((await post(seal(order), { authorization: nobody })).rc, "77");
assert.equal((await post("", { method: "GET" })).rc, "99");

console.log(JSON.stringify({ ok: true, first, another }));
