// An ISU partner in Java, on the standard library alone: `java IsuClient.java`.
//
// Reads java.util.Properties (base_url, path, pass_key, client_id, client_secret,
// aes_key_base64) on standard input, makes a payout, asks what became of it, sends what must be
// refused, and prints "ok".

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.Base64;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

public final class IsuClient {
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final Properties GIVEN = new Properties();

    public static void main(String[] arguments) throws Exception {
        GIVEN.load(System.in);
        byte[] key = Base64.getDecoder().decode(given("aes_key_base64"));
        String reference = "JAVA%016X".formatted(RANDOM.nextLong());
        String payout = """
            {"beneName":"Zoë 🙂","beneAccountNo":"000111222333","beneifsc":"DEMO0000001",
             "benePhoneNo":"9000000001","beneBankName":"DEMO BANK","clientReferenceNo":"%s",
             "amount":100.04,"fundTransferType":"IMPS","pincode":"560001",
             "custName":"JAVA CLIENT","custMobNo":"9000000002","latlong":"12.9716,77.5946"}"""
            .formatted(reference);

        String paid = ask(given("path"), payout, key);
        expect(paid, "\"status\":\"SUCCESS\"");
        expect(paid, "\"beneName\":\"Zoë 🙂\"");
        String bankReference = member(paid, "rrn");
        expect(ask(given("path"), payout, key), "Duplicate clientReferenceNo");

        LocalDate today = LocalDate.now(ZoneId.of("Asia/Kolkata"));
        String report = ask("/payout/statuscheck/txnreport", """
            {"$1":"Cashout_addbank_status","$4":"%s","$5":"%s","$6":"%s","$10":""}"""
            .formatted(today.minusDays(1), today, reference), key);
        expect(report, "\"length\":1");
        check(member(report, "rrn").equals(bankReference), "the same payout");

        String used = header(key);
        check(post(given("path"), "{}", used, key).statusCode() == 200, "first use of a header");
        refused(post(given("path"), "{}", used, key));
        byte[] strange = new byte[32];
        RANDOM.nextBytes(strange);
        refused(post(given("path"), "{}", header(strange), key));
        System.out.println("ok");
    }

    private static String ask(String path, String json, byte[] key) throws Exception {
        HttpResponse<String> reply = post(path, json, header(key), key);
        check(reply.statusCode() == 200, reply.statusCode() + " " + reply.body());
        return open(member(reply.body(), "ResponseData"), key);
    }

    private static HttpResponse<String> post(String path, String json, String header, byte[] key)
        throws Exception {
        String body = "{\"RequestData\":\"" + seal(json, key) + "\"}";
        HttpRequest request = HttpRequest.newBuilder(URI.create(given("base_url") + path))
            .header("Content-Type", "application/json")
            .header("pass_key", given("pass_key"))
            .header("header_secrets", header)
            .POST(BodyPublishers.ofString(body))
            .build();
        return HTTP.send(request, BodyHandlers.ofString());
    }

    private static void refused(HttpResponse<String> reply) {
        check(reply.statusCode() == 401, "status " + reply.statusCode());
        check(reply.body().equals("{\"status\":-1,\"statusDesc\":\"Invalid header secrets\"}"),
            reply.body());
    }

    private static String header(byte[] key) throws Exception {
        return seal("""
            {"client_id":"%s","client_secret":"%s","epoch":"%d"}""".formatted(
                given("client_id"), given("client_secret"), System.currentTimeMillis()), key);
    }

    private static String seal(String text, byte[] key) throws Exception {
        byte[] iv = new byte[16];
        RANDOM.nextBytes(iv);
        Cipher aes = Cipher.getInstance("AES/CBC/PKCS5Padding");
        aes.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"), new IvParameterSpec(iv));
        byte[] sealed = aes.doFinal(text.getBytes(StandardCharsets.UTF_8));
        byte[] both = new byte[16 + sealed.length];
        System.arraycopy(iv, 0, both, 0, 16);
        System.arraycopy(sealed, 0, both, 16, sealed.length);
        return Base64.getEncoder().encodeToString(both);
    }

    private static String open(String sealed, byte[] key) throws Exception {
        byte[] both = Base64.getDecoder().decode(sealed);
        Cipher aes = Cipher.getInstance("AES/CBC/PKCS5Padding");
        aes.init(Cipher.DECRYPT_MODE, new SecretKeySpec(key, "AES"),
            new IvParameterSpec(both, 0, 16));
        return new String(aes.doFinal(both, 16, both.length - 16), StandardCharsets.UTF_8);
    }

    /** Returns the first member of that name whose value is a text without escapes. */
    private static String member(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\":\\s*\"([^\"]+)\"").matcher(json);
        check(found.find(), "no " + name + " in " + json);
        return found.group(1);
    }

    private static String given(String name) {
        return GIVEN.getProperty(name);
    }

    private static void expect(String reply, String part) {
        check(reply.contains(part), "expected " + part + " in " + reply);
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new IllegalStateException(what);
        }
    }
}
