// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli.run;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The number by which Open MPI tells an mpirun's files from those of others: the upper half of its
 * jobs' ids. An mpirun writes it into {@code TMPDIR/ompi.HOST.UID/pid.PID/contact.txt}, which it
 * deletes when it ends, unless it is killed.
 */
final class JobFamily {
  private static final Pattern CONTACT = Pattern.compile("([0-9]{1,10})\\.0;");
  private static final int CONTACT_BYTES = 64;
  private static final int MOST = 0xffff;

  private JobFamily() {}

  /** Where Open MPI has its session directories, by its own rules. */
  static Path sessions(Map<String, String> environment) {
    for (String name : new String[] {"TMPDIR", "TEMP", "TMP"}) {
      String value = environment.getOrDefault(name, "");
      if (!value.isEmpty()) {
        return Path.of(value);
      }
    }
    return Path.of("/tmp");
  }

  /** An mpirun's; empty if it hasn't written it yet, or has deleted it. */
  static OptionalInt of(Path sessions, long pid) {
    try (DirectoryStream<Path> tops = Files.newDirectoryStream(sessions, "ompi.*")) {
      for (Path top : tops) {
        Path contact = top.resolve("pid." + pid).resolve("contact.txt");
        if (Files.isRegularFile(contact)) {
          return parse(contact);
        }
      }
    } catch (IOException e) {
      // Then it isn't known.
    }
    return OptionalInt.empty();
  }

  private static OptionalInt parse(Path contact) throws IOException {
    byte[] begin = new byte[CONTACT_BYTES];
    int length;
    try (var in = Files.newInputStream(contact)) {
      length = in.readNBytes(begin, 0, begin.length);
    }
    Matcher matcher = CONTACT.matcher(new String(begin, 0, length, StandardCharsets.US_ASCII));
    if (!matcher.lookingAt()) {
      return OptionalInt.empty();
    }
    long family = Long.parseLong(matcher.group(1)) >> 16;
    return family >= 1 && family <= MOST ? OptionalInt.of((int) family) : OptionalInt.empty();
  }
}
