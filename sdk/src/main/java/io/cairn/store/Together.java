// SPDX-License-Identifier: Apache-2.0
package io.cairn.store;

import io.cairn.coordinate.Group;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Steps that all ranks take together: either all go on, or all throw. */
public final class Together {
  private static final byte DONE = 0;
  private static final byte FAILED = 1;

  private Together() {}

  /** What a rank does by itself. */
  @FunctionalInterface
  public interface Step {

    /** Returns what the other ranks shall know. */
    byte[] run() throws Exception;
  }

  /** What a rank does by itself, in text. */
  @FunctionalInterface
  public interface TextStep {

    /** Returns what the other ranks shall know. */
    String run() throws Exception;
  }

  /**
   * Runs the step and returns what all ranks returned, by rank. If any threw, all throw: those that
   * did their own exception, the others a {@link PeerFailureException}.
   */
  public static List<byte[]> run(Group group, Step step) throws Exception {
    Exception own = null;
    byte[] mine;
    try {
      mine = tagged(DONE, step.run());
    } catch (Exception e) {
      own = e;
      mine = tagged(FAILED, e.toString().getBytes(StandardCharsets.UTF_8));
    }
    byte[][] all = group.allGather(mine);
    if (own != null) {
      throw own;
    }
    List<byte[]> results = new ArrayList<>(all.length);
    for (int rank = 0; rank < all.length; rank++) {
      byte[] body = Arrays.copyOfRange(all[rank], 1, all[rank].length);
      if (all[rank][0] != DONE) {
        throw new PeerFailureException(rank, new String(body, StandardCharsets.UTF_8));
      }
      results.add(body);
    }
    return results;
  }

  /** As {@link #run}, with text. */
  public static List<String> runText(Group group, TextStep step) throws Exception {
    List<String> results = new ArrayList<>();
    for (byte[] result : run(group, () -> step.run().getBytes(StandardCharsets.UTF_8))) {
      results.add(new String(result, StandardCharsets.UTF_8));
    }
    return results;
  }

  private static byte[] tagged(byte tag, byte[] body) {
    byte[] bytes = new byte[body.length + 1];
    bytes[0] = tag;
    System.arraycopy(body, 0, bytes, 1, body.length);
    return bytes;
  }
}
