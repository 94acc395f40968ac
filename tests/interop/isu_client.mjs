// An ISU partner in JavaScript, on Node's own crypto and http alone.
//
// Reads {"base_url", "path", "credentials": {"pass_key", "client_id", "client_secret",
// "aes_key_base64"}} on standard input, uses every product, sends what must be refused, and
// prints one JSON object.

import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";

const { base_url: base, path: payoutPath, credentials } = JSON.parse(await readAll(process.stdin));
const key = Buffer.from(credentials.aes_key_base64, "base64");
check(key.length === 32, "the key has 32 bytes");

const STATUS = "/payout/statuscheck/txnreport";
const UPI = "/upi/initiate-dynamic-transaction";
const BILL = "/bbps/electricity/fetch-bill";
const INVALID_HEADER = '{"status":-1,"statusDesc":"Invalid header secrets"}';

const payout = {
  beneName: "Zoë 🙂",
  beneAccountNo: "000111222333",
  beneifsc: "DEMO0000001",
  benePhoneNo: "9000000001",
  beneBankName: "DEMO BANK",
  clientReferenceNo: `NODE${randomBytes(6).toString("hex")}`,
  amount: 100.04,
  fundTransferType: "IMPS",
  pincode: 560001,
  custName: "NODE CLIENT",
  custMobNo: "9000000002",
  latlong: "12.9716,77.5946",
};
const paid = await ask(payoutPath, payout);
same(paid.status, "SUCCESS", "payout");
same(paid.subStatus, 0, "payout subStatus");
for (const [name, value] of Object.entries(payout)) same(paid[name], value, name);
check(/^\d{12}$/.test(paid.rrn), "rrn has 12 digits");

const again = await ask(payoutPath, payout);
same(again.statusDesc, "Duplicate clientReferenceNo", "the same reference again");

const day = (offset) => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);
const report = await ask(STATUS, {
  $1: "Cashout_addbank_status",
  $4: day(-1),
  $5: day(1),
  $6: payout.clientReferenceNo,
  $10: paid.transactionId,
});
same(report.length, 1, "one payout with this reference");
same(report.results[0].rrn, paid.rrn, "the same payout");

const collected = await ask(UPI, {
  payeeVPA: "demo.shop@sandbox",
  paymentMode: "QR",
  txnAmount: "250.02",
  channelId: "WEBUSER",
  txnNote: "Order 1001",
  clientRefId: `NODE${randomBytes(5).toString("hex")}`,
  merchantType: "AGGREGATE",
  expiryTime: "5",
  mobilenumber: "9000000003",
});
same(collected.status, "SUCCESS", "dynamic UPI");
same(new URL(collected.intentData).searchParams.get("am"), "250.02", "amount of the link");
const picture = Buffer.from(collected.qrData, "base64");
same(picture.subarray(1, 4).toString(), "PNG", "picture");

const bill = await ask(BILL, {
  mobile_no: "9000000004",
  email: "demo@example.com",
  biller_params: [{ name: "Consumer Number", value: "100200300" }],
});
same(bill.status, "SUCCESS", "electricity bill");
check(Number(bill.data_obj.bill_amount) > 0, "a bill has an amount");

const used = header();
same((await post(payoutPath, seal({}), { header_secrets: used })).status, 200, "first use");
await refused({ header_secrets: used }, 401, INVALID_HEADER, "a header used before");
await refused({ header_secrets: header(randomBytes(32)) }, 401, INVALID_HEADER, "another key");
await refused({ header_secrets: [header(), header()] }, 401, INVALID_HEADER, "two headers");
await refused(
  { header_secrets: header(), "header-secrets": header() }, 401, INVALID_HEADER, "two spellings",
);
const wrongKey = '{"status":0,"statusDesc":"Invalid pass_key"}';
await refused({ "pass-key": credentials.pass_key }, 401, wrongKey, "pass_key in two spellings");
await refused({ pass_key: [credentials.pass_key, "x"] }, 401, wrongKey, "pass_key twice");
await refused(
  { pass_key: null }, 401, '{"status":-1,"statusDesc":"Pass_key header is missing"}', "no pass_key",
);
await refused(
  { header_secrets: header(key, Date.now() - 400_000) },
  401,
  '{"status":-1,"statusDesc":"Epoch Time Limit Exceeded"}',
  "an old header",
);
const unsealed = await post(payoutPath, '{"RequestData":"AAAA"}');
same(unsealed.status, 400, "a body that does not open");
same(unsealed.body, '{"status":-1,"statusDesc":"Invalid RequestData"}', "its reply");
const got = await post(payoutPath, "", {}, "GET");
same(got.status, 405, "GET");
same(got.body, '{"ResponseData":"Invalid Request"}', "its reply");

console.log(JSON.stringify({ ok: true, transactionId: paid.transactionId, txnId: collected.txnId }));

async function ask(path, payload) {
  const answer = await post(path, seal(payload));
  same(answer.status, 200, `${path}: ${answer.body}`);
  return open(JSON.parse(answer.body).ResponseData);
}

async function refused(headers, status, body, what) {
  const answer = await post(payoutPath, seal(payout), headers);
  same(answer.status, status, what);
  same(answer.body, body, what);
}

function seal(payload) {
  return JSON.stringify({ RequestData: encrypt(payload, key) });
}

function header(underKey = key, now = Date.now()) {
  const { client_id, client_secret } = credentials;
  return encrypt({ client_id, client_secret, epoch: String(now) }, underKey);
}

function encrypt(value, underKey) {
  const iv = randomBytes(16);
  const cipher = createCipheriv("aes-256-cbc", underKey, iv);
  const text = Buffer.from(JSON.stringify(value), "utf8");
  return Buffer.concat([iv, cipher.update(text), cipher.final()]).toString("base64");
}

function open(sealed) {
  const data = Buffer.from(sealed, "base64");
  const decipher = createDecipheriv("aes-256-cbc", key, data.subarray(0, 16));
  return JSON.parse(Buffer.concat([decipher.update(data.subarray(16)), decipher.final()]));
}

// node:http sends header names with underscores as they are, and lists as twins.
function post(path, body, headers = {}, method = "POST") {
  const sent = {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
    pass_key: credentials.pass_key,
    header_secrets: header(),
    ...headers,
  };
  const present = Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== null));
  const url = new URL(path, base);
  const call = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const outgoing = call(url, { method, headers: present }, async (incoming) => {
      resolve({ status: incoming.statusCode, body: await readAll(incoming) });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

async function readAll(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function same(found, expected, what) {
  check(found === expected, `${what}: ${JSON.stringify(found)} is not ${JSON.stringify(expected)}`);
}

function check(holds, what) {
  if (!holds) throw new Error(what);
}
