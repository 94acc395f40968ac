// The WhatsApp platform and a phone, on Node's own crypto alone: completes the sandbox's
// appointment form. Reads {"base_url","path","credentials"} on stdin, prints {"ok":true,…}.
import crypto from "node:crypto";

const read = async () => {
  const parts = [];
  for await (const part of process.stdin) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString("utf8"));
};

const expect = (condition, what) => {
  if (!condition) throw new Error(what);
};

const { base_url: baseUrl, path, credentials } = await read();
const publicKey = crypto.createPublicKey(credentials.public_key_pem);

const sign = (body, secret = credentials.app_secret) =>
  "sha256=" + crypto.createHmac("sha256", secret).update(body).digest("hex");

const post = (where, body, signature) =>
  fetch(baseUrl + where, {
    method: "POST",
    headers: { "content-type": "application/json", "x-hub-signature-256": signature },
    body,
  });

function seal(payload, key, iv) {
  const cipher = crypto.createCipheriv("aes-128-gcm", key, iv);
  const text = Buffer.from(JSON.stringify(payload), "utf8");
  const data = Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
  const wrapped = crypto.publicEncrypt(
    { key: publicKey, padding: crypto.constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" },
    key,
  );
  return JSON.stringify({
    encrypted_flow_data: data.toString("base64"),
    encrypted_aes_key: wrapped.toString("base64"),
    initial_vector: iv.toString("base64"),
  }).replaceAll("/", "\\/");
}

function open(text, key, iv) {
  const sealed = Buffer.from(text, "base64");
  const inverted = Buffer.from(iv.map((byte) => byte ^ 0xff));
  const decipher = crypto.createDecipheriv("aes-128-gcm", key, inverted);
  decipher.setAuthTag(sealed.subarray(-16));
  const plain = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
  return JSON.parse(plain.toString("utf8"));
}

async function send(payload, status = 200) {
  const key = crypto.randomBytes(16);
  const iv = crypto.randomBytes(16);
  const body = seal(payload, key, iv);
  const response = await post(path, body, sign(body));
  expect(response.status === status, `${payload.action}: status ${response.status}`);
  expect(response.headers.get("content-type") === "text/plain", "not text/plain");
  return open(await response.text(), key, iv);
}

const token = `interop-${crypto.randomUUID()}`;
const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const head = `${base64url({ alg: "HS256", typ: "JWT" })}.${base64url({ flow_token: token })}`;
const tokenSignature =
  `${head}.` + crypto.createHmac("sha256", credentials.app_secret).update(head).digest("base64url");

const step = (action, screen, data, status) =>
  send(
    {
      version: "4.0",
      action,
      screen,
      data,
      flow_token: token,
      flow_token_signature: tokenSignature,
    },
    status,
  );
const exchange = (screen, data, status) => step("data_exchange", screen, data, status);

async function refusals() {
  const body = seal({ version: "3.0", action: "ping" }, crypto.randomBytes(16), crypto.randomBytes(16));
  for (const signature of [sign(body, "another secret"), "sha256=", sign(body + " ")]) {
    const response = await post(path, body, signature);
    expect(response.status === 432, `bad signature: status ${response.status}`);
    expect((await response.text()) === "", "bad signature: a body");
  }
  const parts = JSON.parse(body);
  parts.initial_vector = crypto.randomBytes(16).toString("base64");
  const changed = JSON.stringify(parts);
  const response = await post(path, changed, sign(changed));
  expect(response.status === 421, `changed IV: status ${response.status}`);
  expect((await response.text()) === "", "changed IV: a body");
}

async function form() {
  const first = await step("INIT", "", {});
  expect(first.screen === "APPOINTMENT", "INIT leads elsewhere");
  const service = first.data.services[0].id;
  const chosen = { service };
  const branches = await exchange("APPOINTMENT", { trigger: "service", ...chosen });
  expect(branches.data.is_branch_enabled === true, "no branch to choose");
  chosen.branch = branches.data.branches[0].id;
  const days = await exchange("APPOINTMENT", { trigger: "branch", ...chosen });
  let free;
  for (const day of days.data.dates) {
    chosen.date = day.id;
    const times = await exchange("APPOINTMENT", { trigger: "date", ...chosen });
    free = times.data.times.find((time) => time.enabled);
    if (free) break;
  }
  expect(free, "no free time");
  chosen.time = free.id;
  const details = await exchange("APPOINTMENT", chosen);
  expect(details.screen === "DETAILS", "the choice does not lead to DETAILS");
  const wrong = await exchange("DETAILS", { ...chosen, name: "Zoë", email: "nobody" });
  expect(wrong.screen === "DETAILS" && wrong.data.error_message, "a bad address passes");
  const person = { name: "Zoë Example", email: "zoe@example.org" };
  const back = await step("BACK", "DETAILS", {});
  expect(back.screen === "APPOINTMENT", "BACK leads elsewhere");
  const summary = await exchange("DETAILS", { ...chosen, ...person });
  expect(summary.screen === "SUMMARY", "the details do not lead to SUMMARY");
  expect(summary.data.contact === "Zoë Example, zoe@example.org", "the name is garbled");
  const booking = { ...chosen, ...person, terms: true };
  const end = await exchange("SUMMARY", booking);
  expect(end.screen === "SUCCESS", "the booking fails");
  const params = end.data.extension_message_response.params;
  expect(params.flow_token === token, "another flow token comes back");
  const again = await exchange("SUMMARY", booking);
  expect(JSON.stringify(again) === JSON.stringify(end), "a retry gets another reply");
  const over = await exchange("DETAILS", booking, 427);
  expect(typeof over.error_msg === "string", "427 brings no message");
  return params;
}

async function webhook() {
  const where = path.replace("/flows/", "/webhook/");
  const query = new URLSearchParams({
    "hub.mode": "subscribe",
    "hub.verify_token": credentials.verify_token,
    "hub.challenge": "20260102",
  });
  const challenge = await fetch(`${baseUrl}${where}?${query}`);
  expect(challenge.status === 200, `challenge: status ${challenge.status}`);
  expect((await challenge.text()) === "20260102", "the challenge is not echoed");
  const update = JSON.stringify({
    object: "whatsapp_business_account",
    entry: [{ id: "1", time: 1, changes: [{ field: "flows", value: { token } }] }],
  });
  for (const expected of [200, 200]) {
    const response = await post(where, update, sign(update));
    expect(response.status === expected, `update: status ${response.status}`);
  }
  const unsigned = await post(where, update, sign(update, "another secret"));
  expect(unsigned.status === 403, `unsigned update: status ${unsigned.status}`);
}

try {
  const pong = await send({ version: "3.0", action: "ping" });
  expect(pong.data.status === "active", "the health check fails");
  const noted = await send({
    version: "3.0",
    action: "data_exchange",
    screen: "DETAILS",
    data: { error: "payload-schema-error", error_message: "a trial" },
    flow_token: token,
  });
  expect(noted.data.acknowledged === true, "the error notification is not acknowledged");
  await refusals();
  const params = await form();
  await webhook();
  console.log(JSON.stringify({ ok: true, appointment_id: params.appointment_id }));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
