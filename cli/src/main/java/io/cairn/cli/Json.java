// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.store.StoreView;
import io.cairn.store.StoreView.Newest;
import io.cairn.tier.Holdings.Held;
import io.cairn.tier.Tier;
import java.io.Closeable;
import java.io.IOException;
import java.io.PrintStream;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The output of {@code --json}, written out field by field: docs/cli.md is the schema. A field that
 * is known to some and not to others is there with null.
 */
final class Json implements Closeable {
  /** Fields may join without a change of it; a change of what is there is one of it. */
  static final int VERSION = 1;

  private final JsonGenerator json;
  private final PrintStream out;

  /** Writes something of its own into an object. */
  @FunctionalInterface
  interface Body {
    void write() throws IOException;
  }

  /** Writes an element of an array. */
  @FunctionalInterface
  interface Each<T> {
    void write(T element) throws IOException;
  }

  Json(PrintStream out, String verb) throws IOException {
    this.out = out;
    json = new JsonFactory().createGenerator(out);
    json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
    json.setPrettyPrinter(new DefaultPrettyPrinter());
    json.writeStartObject();
    text("format", "cairn-" + verb);
    number("version", VERSION);
  }

  Json text(String name, String value) throws IOException {
    json.writeStringField(name, value);
    return this;
  }

  Json number(String name, long value) throws IOException {
    json.writeNumberField(name, value);
    return this;
  }

  Json flag(String name, boolean value) throws IOException {
    json.writeBooleanField(name, value);
    return this;
  }

  Json optional(String name, Optional<?> value) throws IOException {
    if (value.isPresent()) {
      json.writeStringField(name, value.get().toString());
    } else {
      json.writeNullField(name);
    }
    return this;
  }

  Json optional(String name, OptionalLong value) throws IOException {
    if (value.isPresent()) {
      json.writeNumberField(name, value.getAsLong());
    } else {
      json.writeNullField(name);
    }
    return this;
  }

  Json none(String name) throws IOException {
    json.writeNullField(name);
    return this;
  }

  Json object(String name, Body body) throws IOException {
    json.writeObjectFieldStart(name);
    body.write();
    json.writeEndObject();
    return this;
  }

  /** An array of objects. */
  <T> Json objects(String name, Collection<T> elements, Each<T> each) throws IOException {
    json.writeArrayFieldStart(name);
    for (T element : elements) {
      json.writeStartObject();
      each.write(element);
      json.writeEndObject();
    }
    json.writeEndArray();
    return this;
  }

  Json texts(String name, Collection<?> elements) throws IOException {
    json.writeArrayFieldStart(name);
    for (Object element : elements) {
      json.writeString(element.toString());
    }
    json.writeEndArray();
    return this;
  }

  Json numbers(String name, Collection<Integer> elements) throws IOException {
    json.writeArrayFieldStart(name);
    for (int element : elements) {
      json.writeNumber(element);
    }
    json.writeEndArray();
    return this;
  }

  // What several verbs tell.

  /** A job's own fields. */
  Json job(Job job) throws IOException {
    text("job", job.id()).optional("uuid", job.uuid());
    if (job.worldSize() == 0) {
      none("worldSize");
    } else {
      number("worldSize", job.worldSize());
    }
    Optional<Newest> newest = job.newest();
    if (newest.isPresent()) {
      number("generation", newest.get().generation());
    } else {
      none("generation");
    }
    flag("everCommitted", job.everCommitted());
    optional("runningAs", job.holder());
    objects(
        "stores",
        job.stores(),
        store -> text("directory", store.directory().toString()).optional("id", id(store)));
    return findings("problems", job.findings());
  }

  private static Optional<String> id(StoreView store) {
    try {
      return store.id();
    } catch (IOException e) {
      // Among the job's problems.
      return Optional.empty();
    }
  }

  Json epochId(EpochId id) throws IOException {
    return number("generation", id.generation()).number("epoch", id.epoch());
  }

  /** An epoch at a cheap look. */
  Json epoch(EpochLook look) throws IOException {
    epochId(look.id()).text("state", look.state().code());
    optional("safePoint", look.safePoint());
    optional("written", look.written());
    number("bytes", look.bytes());
    number("worldSize", look.worldSize());
    numbers("ranks", look.ranks());
    texts("protection", look.protection());
    objects(
        "partialProtection",
        look.levels().stream().filter(level -> !level.isWhole()).toList(),
        level ->
            text("tier", level.tier())
                .number("storesWith", level.stores())
                .number("of", level.of()));
    objects(
        "stores",
        look.copies(),
        copy -> {
          text("directory", copy.store().directory().toString());
          text("tier", copy.shared() ? Tier.SHARED.word() : EpochLook.LOCAL);
          text(
              "record", copy.standing().map(s -> s.name().toLowerCase(Locale.ROOT)).orElse("none"));
          numbers("ranks", copy.ranks());
          number("bytes", copy.bytes());
          objects("protections", copy.protections(), held -> protection(copy, held));
        });
    return findings("problems", look.findings());
  }

  /** What a tier has in a store. */
  private void protection(EpochLook.Copy copy, Held held) throws IOException {
    Tier tier = held.record().tier();
    text("tier", tier.word());
    text("record", held.standing().name().toLowerCase(Locale.ROOT));
    number("generation", held.record().encodedBy());
    numbers("copies", held.record().copies().stream().map(EpochRecord.Image::rank).toList());
    List<EpochLook.Parity> parity = tier == Tier.SET ? copy.parity() : List.of();
    number("parityShards", parity.size());
    long bytes = held.record().copies().stream().mapToLong(EpochRecord.Image::lengthBytes).sum();
    number("bytes", bytes + parity.stream().mapToLong(p -> p.shard().lengthBytes()).sum());
  }

  Json findings(String name, Collection<Finding> findings) throws IOException {
    return objects(
        name,
        findings,
        finding -> {
          text("kind", finding.kind().code());
          text("file", finding.file().toString());
          optional(
              "offset",
              finding.offset() < 0 ? OptionalLong.empty() : OptionalLong.of(finding.offset()));
          text("what", finding.what());
          text("found", finding.found());
          text("expected", finding.expected());
          text("message", finding.message());
        });
  }

  @Override
  public void close() throws IOException {
    json.writeEndObject();
    json.close();
    out.println();
    out.flush();
  }
}
