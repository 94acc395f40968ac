// The WhatsApp platform in Java, on the standard library alone: `java WhatsappFlowsClient.java`.
//
// Reads java.util.Properties (base_url, path, public_key_pem, app_secret) on standard input, does
// a health check, opens the form, sends what must be refused, and prints "ok".

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Properties;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PSource;
import javax.crypto.spec.SecretKeySpec;

public final class WhatsappFlowsClient {
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final Properties GIVEN = new Properties();

    public static void main(String[] arguments) throws Exception {
        GIVEN.load(System.in);
        String ping = "{\"version\":\"3.0\",\"action\":\"ping\"}";
        String active = step(ping);
        check(active.equals("{\"data\":{\"status\":\"active\"}}"), active);

        String token = "java-" + Long.toHexString(RANDOM.nextLong());
        String first = step("""
            {"version":"3.0","action":"INIT","flow_token":"%s"}""".formatted(token));
        check(first.contains("\"screen\":\"APPOINTMENT\""), first);

        byte[] key = random();
        byte[] iv = random();
        String body = seal(ping, key, iv);
        refused(432, post(body, sign(body + " ")));
        String changed = seal(ping, key, iv).replace(base64(iv), base64(random()));
        refused(421, post(changed, sign(changed)));
        System.out.println("ok");
    }

    private static String step(String json) throws Exception {
        byte[] key = random();
        byte[] iv = random();
        String body = seal(json, key, iv);
        HttpResponse<String> reply = post(body, sign(body));
        check(reply.statusCode() == 200, "status " + reply.statusCode());
        check(reply.headers().firstValue("Content-Type").orElse("").equals("text/plain"), "type");
        return open(reply.body(), key, iv);
    }

    private static String seal(String json, byte[] key, byte[] iv) throws Exception {
        byte[] data = aes(Cipher.ENCRYPT_MODE, key, iv)
            .doFinal(json.getBytes(StandardCharsets.UTF_8));
        // Without these parameters Java uses SHA-1 for MGF1, whatever the transformation is called.
        Cipher rsa = Cipher.getInstance("RSA/ECB/OAEPPadding");
        rsa.init(Cipher.ENCRYPT_MODE, publicKey(), new OAEPParameterSpec(
            "SHA-256", "MGF1", MGF1ParameterSpec.SHA256, PSource.PSpecified.DEFAULT));
        return """
            {"encrypted_flow_data":"%s","encrypted_aes_key":"%s","initial_vector":"%s"}"""
            .formatted(base64(data), base64(rsa.doFinal(key)), base64(iv));
    }

    private static String open(String sealed, byte[] key, byte[] iv) throws Exception {
        byte[] inverted = iv.clone();
        for (int index = 0; index < inverted.length; index++) {
            inverted[index] = (byte) ~inverted[index];
        }
        byte[] text = aes(Cipher.DECRYPT_MODE, key, inverted)
            .doFinal(Base64.getDecoder().decode(sealed));
        return new String(text, StandardCharsets.UTF_8);
    }

    private static Cipher aes(int mode, byte[] key, byte[] iv) throws Exception {
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(mode, new SecretKeySpec(key, "AES"), new GCMParameterSpec(128, iv));
        return cipher;
    }

    private static String sign(String body) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(
            given("app_secret").getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
        byte[] digest = mac.doFinal(body.getBytes(StandardCharsets.UTF_8));
        return "sha256=" + HexFormat.of().formatHex(digest);
    }

    private static HttpResponse<String> post(String body, String signature) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(given("base_url") + given("path")))
            .header("Content-Type", "application/json")
            .header("X-Hub-Signature-256", signature)
            .POST(BodyPublishers.ofString(body))
            .build();
        return HTTP.send(request, BodyHandlers.ofString());
    }

    private static void refused(int status, HttpResponse<String> reply) {
        check(reply.statusCode() == status, "status " + reply.statusCode() + ", not " + status);
        check(reply.body().isEmpty(), "a body: " + reply.body());
    }

    private static PublicKey publicKey() throws Exception {
        String der = given("public_key_pem").replaceAll("-----[^-]+-----|\\s", "");
        return KeyFactory.getInstance("RSA")
            .generatePublic(new X509EncodedKeySpec(Base64.getDecoder().decode(der)));
    }

    private static byte[] random() {
        byte[] bytes = new byte[16];
        RANDOM.nextBytes(bytes);
        return bytes;
    }

    private static String base64(byte[] data) {
        return Base64.getEncoder().encodeToString(data);
    }

    private static String given(String name) {
        return GIVEN.getProperty(name);
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new IllegalStateException(what);
        }
    }
}
