// SPDX-License-Identifier: Apache-2.0
package io.cairn.testing;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.store.Transport;
import io.cairn.store.Transport.Transfer;
import io.cairn.store.TransportException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What other tests rely on. */
class LocalTransportTest {
  private static final Duration LONG = Duration.ofSeconds(60);
  private static final Duration SHORT = Duration.ofMillis(50);

  @Test
  void shouldMoveMessagesOfAllSizesBothWaysAtOnce() throws Exception {
    int[] lengths = {0, 1, 4096, 4097, 1 << 20, (3 << 20) + 17};
    LocalTransport.World world = new LocalTransport.World(3, LONG);
    ThreadGroupWorld.run(
            3,
            rank ->
                () -> {
                  Transport transport = world.transport(rank);
                  int to = (rank + 1) % 3;
                  int from = (rank + 2) % 3;
                  for (int length : lengths) {
                    ByteBuffer out = random(length, rank * 100L + length);
                    ByteBuffer in = ByteBuffer.allocateDirect(length + 5).position(3);
                    Transfer receive = transport.receive(from, 7, in);
                    Transfer send = transport.send(to, 7, out);
                    assertEquals(length, transport.await(receive));
                    assertEquals(length, transport.await(send));
                    assertEquals(3, in.position());
                    assertEquals(random(length, from * 100L + length), in.slice(3, length));
                    byte[][] all = transport.allGather(new byte[] {(byte) rank});
                    assertArrayEquals(new byte[][] {{0}, {1}, {2}}, all);
                  }
                  transport.close();
                  return null;
                })
        .forEach(ThreadGroupWorld.Outcome::get);
    assertEquals(0, world.unreceived());
  }

  @Test
  void shouldKeepTheOrderOfATagAndTellTagsApart() {
    LocalTransport.World world = new LocalTransport.World(1, LONG);
    Transport transport = world.transport(0);
    for (int i = 0; i < 4; i++) {
      transport.send(0, i % 2, one(i));
    }
    for (int i : new int[] {1, 3, 0, 2}) {
      ByteBuffer in = ByteBuffer.allocateDirect(1);
      transport.await(transport.receive(0, i % 2, in));
      assertEquals(i, in.get(0));
    }
  }

  @Test
  void shouldFailWhenTheMessageIsLongerThanTheRoom() {
    LocalTransport.World world = new LocalTransport.World(2, LONG);
    Transfer send = world.transport(0).send(1, 0, random(10_000, 1));
    Transfer receive = world.transport(1).receive(0, 0, ByteBuffer.allocateDirect(9_999));
    String text = assertThrows(TransportException.class, receive::isDone).getMessage();
    assertTrue(text.contains("found 10000 bytes, room for 9999"), text);
    assertTrue(send.isDone());
  }

  @Test
  void shouldNoticeABufferThatChangesUnderWay() {
    LocalTransport.World world = new LocalTransport.World(2, LONG);
    ByteBuffer out = random(10_000, 1);
    assertFalse(world.transport(0).send(1, 0, out).isDone());
    out.put(9_000, (byte) (out.get(9_000) + 1));
    Transfer receive = world.transport(1).receive(0, 0, ByteBuffer.allocateDirect(10_000));
    assertThrows(AssertionError.class, receive::isDone);
  }

  @Test
  void shouldFailTheTransfersThatTheTestWants() {
    LocalTransport.World world = new LocalTransport.World(2, SHORT);
    world.failNext(0, 1, true);
    assertThrows(TransportException.class, world.transport(0).send(1, 0, one(1))::isDone);
    world.failNext(0, 1, false);
    assertTrue(world.transport(0).send(1, 0, one(2)).isDone());
    Transfer receive = world.transport(1).receive(0, 0, ByteBuffer.allocateDirect(1));
    assertThrows(TransportException.class, receive::isDone);
    // The next ones are whole again.
    world.transport(0).send(1, 0, one(3));
    ByteBuffer in = ByteBuffer.allocateDirect(1);
    world.transport(1).await(world.transport(1).receive(0, 0, in));
    assertEquals(3, in.get(0));
  }

  @Test
  void shouldWaitForARankThatHasDisappearedNoLongerThanTheDeadline() {
    LocalTransport.World world = new LocalTransport.World(2, SHORT);
    Transport transport = world.transport(0);
    Transfer send = transport.send(1, 0, random(10_000, 1));
    Transfer receive = transport.receive(1, 0, ByteBuffer.allocateDirect(1));
    world.disappear(1);
    assertThrows(TransportException.class, () -> world.transport(1).send(0, 0, one(1)));
    assertThrows(TransportException.class, () -> transport.await(send));
    assertThrows(TransportException.class, () -> transport.await(receive));
    assertTrue(receive.cancel());
    String text =
        assertThrows(TransportException.class, () -> transport.allGather(new byte[1])).getMessage();
    assertTrue(text.contains("in allGather 0 on rank 0 of 2"), text);
    assertThrows(TransportException.class, () -> transport.allGather(new byte[1]));
  }

  @Test
  void shouldStopWaitingWhenTheThreadIsInterrupted() {
    LocalTransport.World world = new LocalTransport.World(2, LONG);
    Transfer receive = world.transport(0).receive(1, 0, ByteBuffer.allocateDirect(1));
    Thread.currentThread().interrupt();
    String text =
        assertThrows(TransportException.class, () -> world.transport(0).await(receive))
            .getMessage();
    assertTrue(Thread.interrupted(), "the thread isn't interrupted any more");
    assertTrue(text.contains("interrupted after") && text.contains("from 1, tag 0"), text);
  }

  private static ByteBuffer one(int value) {
    return ByteBuffer.allocateDirect(1).put(0, (byte) value);
  }

  private static ByteBuffer random(int length, long seed) {
    byte[] bytes = new byte[length];
    new SplittableRandom(seed).nextBytes(bytes);
    return ByteBuffer.allocateDirect(length).put(bytes).flip();
  }
}
