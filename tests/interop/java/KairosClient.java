// A Kairos partner in Java, on the standard library alone: `java KairosClient.java`.
//
// Reads java.util.Properties (base_url, path, flow_id, security_id, public_key_pem) on standard
// input, places a call encrypted, asks how it stands, and prints "ok".

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.spec.X509EncodedKeySpec;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.Base64;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Cipher;
import javax.crypto.spec.SecretKeySpec;

public final class KairosClient {
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final Properties GIVEN = new Properties();

    public static void main(String[] arguments) throws Exception {
        GIVEN.load(System.in);
        String path = given("path");
        String order = "java-" + Long.toHexString(new SecureRandom().nextLong());
        String request = """
            {"api-version":"1.0","security-id":"%s","flow-id":"%s","calls":[{
              "client-identifier":"%s-ü","start-time":"%s","contact-numbers":["910000000016"],
              "keys":[{"name":"$flow.key.Name","value":"Zoë 🙂"}]}]}"""
            .formatted(given("security_id"), given("flow_id"), order,
                OffsetDateTime.now().plusHours(1));

        String created = post(path, seal(request, newKeyString()));
        expect(created, "\"api-response-code\":200,\"api-response-message\":\"Success\"");
        expect(created, "\"client-identifier\":\"" + order + "-ü\"");
        Matcher uuid = Pattern.compile("\"phonon-uuid\":\"([0-9a-f-]{36})\"").matcher(created);
        check(uuid.find(), "no phonon-uuid in " + created);

        expect(post(path, seal(request, newKeyString())),
            "{\"api-response-code\":201,\"api-response-message\":\"Checksum Repeated\"}");
        String stranger = request.replace(given("security_id"), "0".repeat(64));
        expect(post(path, seal(stranger, newKeyString())),
            "{\"api-response-code\":202,\"api-response-message\":\"Invalid Security ID\"}");
        expect(post(path, seal("[1,]", newKeyString())),
            "{\"api-response-code\":400,\"api-response-message\":\"Invalid Format\"}");

        String pulled = post("/kairos-apis/outbound/pull", """
            {"security-id":"%s","flow-id":"%s","phonon-uuids":["%s"],"fetch-attempt":"ALL"}"""
            .formatted(given("security_id"), given("flow_id"), uuid.group(1)));
        expect(pulled, "\"status\":\"SCHEDULED\"");
        System.out.println("ok");
    }

    /** Returns the envelope of a JSON text under a key string of one's choice. */
    private static String seal(String json, String keyString) throws Exception {
        String wrapped = base64(utf8(keyString));
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(utf8(wrapped));
        Cipher aes = Cipher.getInstance("AES/ECB/PKCS5Padding");
        aes.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(Arrays.copyOf(digest, 16), "AES"));
        Cipher rsa = Cipher.getInstance("RSA/ECB/PKCS1Padding");
        rsa.init(Cipher.ENCRYPT_MODE, publicKey());
        return """
            {"requestEncryptedValue":"%s","requestDigitalSignatureValue":"%s","flow-id":"%s"}"""
            .formatted(base64(aes.doFinal(utf8(base64(utf8(json))))),
                base64(rsa.doFinal(utf8(wrapped))), given("flow_id"));
    }

    private static PublicKey publicKey() throws Exception {
        String der = given("public_key_pem").replaceAll("-----[^-]+-----|\\s", "");
        return KeyFactory.getInstance("RSA")
            .generatePublic(new X509EncodedKeySpec(Base64.getDecoder().decode(der)));
    }

    private static String newKeyString() {
        byte[] random = new byte[18];
        new SecureRandom().nextBytes(random);
        return Base64.getUrlEncoder().encodeToString(random);
    }

    private static String post(String path, String body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(given("base_url") + path))
            .header("Content-Type", "application/json").POST(BodyPublishers.ofString(body)).build();
        var response = HTTP.send(request, BodyHandlers.ofString());
        check(response.statusCode() == 200, "HTTP status " + response.statusCode());
        return response.body();
    }

    private static String given(String name) {
        return GIVEN.getProperty(name);
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String base64(byte[] data) {
        return Base64.getEncoder().encodeToString(data);
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
