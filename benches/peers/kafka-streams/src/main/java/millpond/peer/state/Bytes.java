package millpond.peer.state;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Integers in byte arrays: keys big-endian, values little-endian, as in docs/formats.md. */
final class Bytes {
    private static final VarHandle LITTLE =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle BIG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    private Bytes() {}

    static long value(byte[] bytes, int at) {
        return (long) LITTLE.get(bytes, at);
    }

    static void putValue(byte[] bytes, int at, long number) {
        LITTLE.set(bytes, at, number);
    }

    static void putKey(byte[] bytes, int at, long number) {
        BIG.set(bytes, at, number);
    }
}
