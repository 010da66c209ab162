// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.api.CheckpointListener;
import io.cairn.api.MisuseException;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import net.openhft.chronicle.bytes.BytesMarshallable;
import org.junit.jupiter.api.Test;

class CairnTest {

  /** Notes what it is told. */
  private static final class NotingSession extends Session {
    private final List<String> calls = new ArrayList<>();

    @Override
    MemoryRegion region(String name, long lengthBytes) {
      calls.add("region " + name + " " + lengthBytes);
      return null;
    }

    @Override
    void state(String name, BytesMarshallable state) {
      calls.add("state " + name);
    }

    @Override
    void array(String name, Object array) {
      calls.add("array " + name + " " + array.getClass().getSimpleName());
    }

    @Override
    boolean restore() {
      calls.add("restore");
      return true;
    }

    @Override
    void safePoint() {
      calls.add("safePoint");
    }

    @Override
    void beginWaiting() {
      calls.add("beginWaiting");
    }

    @Override
    void goOnWaiting() {
      calls.add("goOnWaiting");
    }

    @Override
    void requestCheckpoint() {
      calls.add("requestCheckpoint");
    }

    @Override
    void addListener(CheckpointListener listener) {
      calls.add("addListener");
    }

    @Override
    boolean isEnabled() {
      return true;
    }

    @Override
    int rank() {
      return 3;
    }

    @Override
    int size() {
      return 7;
    }

    @Override
    void done() {
      calls.add("done");
    }

    @Override
    void close() {
      calls.add("close");
    }

    @Override
    void abort() {
      calls.add("abort");
    }
  }

  private final NotingSession session = new NotingSession();
  private final Cairn cairn = new Cairn(session, false);

  private static String errorOutputOf(Runnable action) {
    PrintStream before = System.err;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      action.run();
    } finally {
      System.setErr(before);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  @Test
  void shouldEndInGoodOrderWhenTheBodyDoes() {
    String said = errorOutputOf(() -> cairn.run(c -> c.safePoint()));

    assertEquals(List.of("safePoint", "done", "close"), session.calls);
    assertEquals("", said);
  }

  @Test
  void shouldPrintTheExceptionOnceWithItsRankAndAbortTheJob() {
    String said =
        errorOutputOf(
            () ->
                cairn.run(
                    c -> {
                      throw new IllegalStateException("the grid is bent");
                    }));

    assertEquals(List.of("abort"), session.calls);
    assertTrue(said.startsWith("cairn: rank 3 of 7: the program failed"), said);
    assertEquals(2, said.split("the grid is bent", -1).length, said);
    assertTrue(said.contains("at io.cairn.CairnTest"), said);
  }

  @Test
  void shouldAbortTheJobForAnErrorToo() {
    errorOutputOf(
        () ->
            cairn.run(
                c -> {
                  throw new OutOfMemoryError("no more");
                }));

    assertEquals(List.of("abort"), session.calls);
  }

  @Test
  void shouldAbortTheJobWhenClosedWithoutDone() {
    String said = errorOutputOf(cairn::close);

    assertEquals(List.of("abort"), session.calls);
    assertTrue(said.contains("closed without done()"), said);
  }

  @Test
  void shouldCloseOnceWhenDone() {
    cairn.done();
    cairn.close();
    cairn.close();

    assertEquals(List.of("done", "close"), session.calls);
    assertThrows(MisuseException.class, () -> cairn.region("u", 8));
    assertThrows(MisuseException.class, cairn::restore);
  }

  @Test
  void shouldTakeEveryPrimitiveArrayAndHandItBack() {
    double[] x = new double[2];
    assertSame(x, cairn.array("x", x));
    cairn.array("f", new float[1]);
    cairn.array("l", new long[1]);
    cairn.array("i", new int[1]);
    cairn.array("s", new short[1]);
    cairn.array("c", new char[1]);
    cairn.array("b", new byte[1]);
    cairn.array("z", new boolean[1]);

    assertEquals(
        List.of(
            "array x double[]",
            "array f float[]",
            "array l long[]",
            "array i int[]",
            "array s short[]",
            "array c char[]",
            "array b byte[]",
            "array z boolean[]"),
        session.calls);
  }

  @Test
  void shouldNotTellTheSessionOfARegistrationThatIsRefused() {
    cairn.region("u", 8);

    assertThrows(MisuseException.class, () -> cairn.region("u", 8));
    assertThrows(MisuseException.class, () -> cairn.region("v", -8));
    assertThrows(MisuseException.class, () -> cairn.state("w", new BytesMarshallable() {}));
    assertTrue(cairn.restore());
    assertThrows(MisuseException.class, () -> cairn.region("x", 8));
    assertEquals(List.of("region u 8", "restore"), session.calls);
  }

  @Test
  void shouldRefuseToAttachWithoutLoad() {
    String message = assertThrows(MisuseException.class, Cairn::attach).getMessage();

    assertTrue(message.contains("Cairn.load()"), message);
  }
}
