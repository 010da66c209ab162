// SPDX-License-Identifier: Apache-2.0
package io.cairn.report;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;

/** Where whoever started the launch listens. */
final class ListenerAddresses {
  private static final int CONNECT_TIMEOUT_MILLIS = 2_000;

  private ListenerAddresses() {}

  /** {@code ADDRESS(,ADDRESS)*:PORT}; none if it makes no sense. */
  static List<InetSocketAddress> parse(String text) {
    List<InetSocketAddress> parsed = new ArrayList<>();
    int colon = text.lastIndexOf(':');
    try {
      int port = Integer.parseInt(text.substring(colon + 1));
      for (String host : text.substring(0, Math.max(colon, 0)).split(",", -1)) {
        if (!host.isEmpty()) {
          // Names are looked up by the thread that connects.
          parsed.add(InetSocketAddress.createUnresolved(host, port));
        }
      }
    } catch (IllegalArgumentException e) {
      return List.of();
    }
    return parsed;
  }

  /** Looks its name up, too. */
  static void connect(Socket socket, InetSocketAddress listener) throws IOException {
    socket.connect(
        new InetSocketAddress(listener.getHostString(), listener.getPort()),
        CONNECT_TIMEOUT_MILLIS);
  }
}
