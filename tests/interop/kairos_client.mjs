// A Kairos partner in JavaScript, on Node's own crypto alone.
//
// Reads {"base_url", "path", "credentials": {"flow_id", "security_id", "public_key_pem"}} on
// standard input, places calls encrypted, asks how they stand, and prints one JSON object.

import { constants, createCipheriv, createHash, publicEncrypt, randomBytes } from "node:crypto";

const { base_url: base, path, credentials } = JSON.parse(await readAll(process.stdin));
const { flow_id: flowId, security_id: securityId, public_key_pem: publicKey } = credentials;

const order = `node-${randomBytes(6).toString("hex")}`;
const request = {
  "api-version": "1.0",
  "security-id": securityId,
  "flow-id": flowId,
  calls: [
    {
      "client-identifier": `${order}-ü`,
      "start-time": new Date(Date.now() + 3_600_000).toISOString(),
      "contact-numbers": ["910000000016"],
      keys: [{ name: "$flow.key.Name", value: "Zoë 🙂" }],
    },
    {
      "client-identifier": `${order}-2`,
      "start-time": "2030-01-23T08:02:53.311+05:30",
      "contact-numbers": ["12", "+910000000018"],
      keys: [],
    },
  ],
};
const text = JSON.stringify(request);

const created = await post(path, seal(text, "abcd1234"));
expect(created, 200, "Success");
const details = created["call-details"];
check(details.length === 2, "one entry a call");
check(details[0]["client-identifier"] === `${order}-ü`, "identifiers come back in order");
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
check(uuid.test(created["request-id"]), "request-id is a UUID");
check(details.every((entry) => uuid.test(entry["phonon-uuid"])), "phonon-uuid is a UUID");

expect(await post(path, seal(text, "another-and-longer-key")), 201, "Checksum Repeated");
expect(await post(path, seal(text.replace(securityId, "0".repeat(64)), "abcd1234")), 202, "Invalid Security ID");
expect(await post(path, seal("{'a':1}", "abcd1234")), 400, "Invalid Format");

const pulled = await post("/kairos-apis/outbound/pull", {
  "security-id": securityId,
  "flow-id": flowId,
  "phonon-uuids": details.map((entry) => entry["phonon-uuid"]),
  "fetch-attempt": "ALL",
});
expect(pulled, 200, "Success");
check(pulled.data.every((entry) => entry.status === "SCHEDULED"), "both calls wait");

const helped = await post("/kairos-apis/enc/outbound/encryptdata", {
  requestValue: Buffer.from(text).toString("base64"),
  aesKey: "abcd1234",
  "flow-id": flowId,
});
check(
  helped.requestEncryptedValue === seal(text, "abcd1234").requestEncryptedValue,
  "the encrypt helper encrypts as this client does",
);

const dialed = await post(
  "/kairos-apis/enc/outbounddialer/create",
  seal(JSON.stringify({ ...request, calls: [request.calls[1]] }), "k"),
);
expect(dialed, 200, "Success");

process.stdout.write(
  `${JSON.stringify({ ok: true, "request-id": created["request-id"], "call-details": details })}\n`,
);

/** Return the envelope of a JSON text under a key string of one's choice. */
function seal(json, keyString) {
  const encodedKey = Buffer.from(keyString, "utf8").toString("base64");
  const key = createHash("sha256").update(encodedKey, "ascii").digest().subarray(0, 16);
  const cipher = createCipheriv("aes-128-ecb", key, null);
  const encoded = Buffer.from(json, "utf8").toString("base64");
  const value = Buffer.concat([cipher.update(encoded, "ascii"), cipher.final()]);
  const wrapped = publicEncrypt(
    { key: publicKey, padding: constants.RSA_PKCS1_PADDING },
    Buffer.from(encodedKey, "ascii"),
  );
  return {
    requestEncryptedValue: value.toString("base64"),
    requestDigitalSignatureValue: wrapped.toString("base64"),
    "flow-id": flowId,
  };
}

async function post(address, body) {
  const reply = await fetch(base + address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  check(reply.status === 200, `HTTP status ${reply.status} from ${address}`);
  return reply.json();
}

function expect(answer, code, message) {
  const got = `${answer["api-response-code"]} ${answer["api-response-message"]}`;
  check(got === `${code} ${message}`, `expected ${code} ${message}, got ${got}`);
  check(typeof answer["api-response-code"] === "number", "the code is a number");
}

function check(holds, what) {
  if (!holds) {
    process.stderr.write(`kairos: ${what}\n`);
    process.exit(1);
  }
}

async function readAll(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
