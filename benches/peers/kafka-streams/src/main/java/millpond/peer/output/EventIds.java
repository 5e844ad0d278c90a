package millpond.peer.output;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.DigestException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;

/** UUIDs of version 5 over the place of an input, so that the same input always has the same output. */
final class EventIds {
    /** The namespace of DNS names, RFC 9562. */
    private static final long DNS_HIGH = 0x6ba7b8109dad11d1L;

    private static final long DNS_LOW = 0x80b400c04fd430c8L;
    private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.ISO_8859_1);

    private final MessageDigest sha1;
    private final byte[] namespace;
    private final byte[] hash = new byte[20];

    /** Creates the ids of the application {@code app}. */
    EventIds(String app) {
        try {
            sha1 = MessageDigest.getInstance("SHA-1");
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
        byte[] dns = ByteBuffer.allocate(16).putLong(DNS_HIGH).putLong(DNS_LOW).array();
        byte[] name = ("millpond." + app).getBytes(StandardCharsets.UTF_8);
        digest(dns, name, name.length);
        namespace = Arrays.copyOf(hash, 16);
    }

    private void digest(byte[] space, byte[] name, int length) {
        sha1.update(space);
        sha1.update(name, 0, length);
        try {
            sha1.digest(hash, 0, hash.length);
        } catch (DigestException error) {
            throw new IllegalStateException(error);
        }
        hash[6] = (byte) (hash[6] & 0x0f | 0x50);
        hash[8] = (byte) (hash[8] & 0x3f | 0x80);
    }

    /** Appends the id of {@code identity}. */
    void append(JsonBuffer identity, JsonBuffer out) {
        digest(namespace, identity.bytes(), identity.length());
        for (int at = 0; at < 16; at++) {
            if (at == 4 || at == 6 || at == 8 || at == 10) {
                out.raw('-');
            }
            out.raw(HEX[hash[at] >> 4 & 15]).raw(HEX[hash[at] & 15]);
        }
    }
}
