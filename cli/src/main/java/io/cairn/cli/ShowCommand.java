// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.cli.EpochLook.Copy;
import io.cairn.cli.EpochLook.Level;
import io.cairn.cli.EpochLook.Parity;
import io.cairn.cli.EpochLook.State;
import io.cairn.image.Ancestor;
import io.cairn.image.ChannelState;
import io.cairn.image.Codec;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.ImageHeader;
import io.cairn.image.ImageReader;
import io.cairn.image.ImageReader.Blocks;
import io.cairn.image.Section;
import io.cairn.tier.Encoding;
import io.cairn.tier.RedundancySet;
import io.cairn.tier.ShardId;
import io.cairn.tier.Tier;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code cairn show}. */
@Command(
    name = "show",
    header = "Shows one epoch: images, what they hold, messages in flight, copies and parity.",
    description =
        "Reads each image's index and channel state, not its regions; of tiers the records.")
final class ShowCommand implements Callable<Integer> {
  private final Surroundings surroundings;

  @Mixin private Where where;

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "JOB",
      description = "A job's name or directory; the only one, if there is one.")
  private String jobName;

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "EPOCH",
      description = "GENERATION-EPOCH, or the epoch's number. Default: the newest committed one.")
  private String epochName;

  @Option(names = "--messages", description = "Lists each message that was in flight.")
  private boolean withMessages;

  @Option(names = "--json", description = "For programs; docs/cli.md has the schema.")
  private boolean json;

  /** A late message, without its bytes. */
  private record Message(long communicator, int source, int tag, long lengthBytes) {}

  private record Part(Section section, Map<Codec, Blocks> blocks) {
    long storedBytes() {
      return blocks.values().stream().mapToLong(Blocks::storedBytes).sum();
    }

    long count(Codec codec) {
      return blocks.containsKey(codec) ? blocks.get(codec).count() : 0;
    }

    long rawBytes(Codec codec) {
      return blocks.containsKey(codec) ? blocks.get(codec).rawBytes() : 0;
    }
  }

  private record Image(
      Path file,
      ImageHeader header,
      long lengthBytes,
      long digest,
      List<Ancestor> ancestors,
      List<Part> parts,
      long lateMessages,
      long lateBytes,
      List<Message> messages) {}

  ShowCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws Exception {
    Job job = where.job(surroundings, jobName);
    EpochLook look = look(job);
    List<Finding> findings = new ArrayList<>(look.findings());
    List<Image> images = new ArrayList<>();
    for (Path file : imageFiles(look)) {
      try {
        images.add(read(file));
      } catch (IOException e) {
        // What has no record may be in the middle of being written.
        if (look.state() != State.INCOMPLETE
            && findings.stream().noneMatch(known -> known.file().equals(file))) {
          findings.add(Finding.of(file, e));
        }
      }
    }
    if (json) {
      print(job, look, images, findings);
    } else {
      print(look, job, images, findings);
    }
    return findings.isEmpty() ? ExitCode.OK : ExitCode.NOT_FOUND_OR_DAMAGED;
  }

  /** Those in ranks' own stores; of ranks that have none there what other tiers have. */
  private static List<Path> imageFiles(EpochLook look) {
    List<Path> files = new ArrayList<>();
    Set<Integer> shown = new HashSet<>();
    for (Copy copy : look.copies()) {
      if (!copy.shared()) {
        copy.ranks().forEach(rank -> files.add(copy.store().imageFile(look.id(), rank)));
        shown.addAll(copy.ranks());
      }
    }
    for (Copy copy : look.copies()) {
      List<Integer> others =
          copy.shared()
              ? List.copyOf(copy.ranks())
              : copy.partnerCopies().stream().map(EpochRecord.Image::rank).toList();
      for (int rank : others) {
        if (shown.add(rank)) {
          files.add(copy.store().imageFile(look.id(), rank));
        }
      }
    }
    return files;
  }

  private EpochLook look(Job job) throws IOException, ToolException {
    if (epochName != null) {
      EpochId id = Where.epoch(job, epochName);
      return EpochLook.of(surroundings.files(), job, id)
          .orElseThrow(
              () ->
                  ToolException.notFound("epoch " + EpochLook.name(id) + " was deleted just now"));
    }
    List<EpochId> epochs = job.epochs();
    for (int i = epochs.size() - 1; i >= 0; i--) {
      var look = EpochLook.of(surroundings.files(), job, epochs.get(i));
      if (look.isPresent() && look.get().state() == State.COMMITTED) {
        return look.get();
      }
    }
    throw ToolException.notFound(
        "job %s has no committed epoch%s"
            .formatted(
                job.id(),
                epochs.isEmpty()
                    ? ""
                    : "; name one of "
                        + String.join(", ", epochs.stream().map(EpochLook::name).toList())));
  }

  private Image read(Path file) throws IOException {
    try (ImageReader image = ImageReader.open(surroundings.files(), file)) {
      List<Part> parts = new ArrayList<>();
      for (Section section : image.sections()) {
        parts.add(new Part(section, image.blocks(section)));
      }
      long[] late = new long[2];
      List<Message> messages = new ArrayList<>();
      ChannelState.read(
          image,
          (communicator, source, tag, lengthBytes) -> {
            late[0]++;
            late[1] += lengthBytes;
            if (withMessages) {
              messages.add(new Message(communicator, source, tag, lengthBytes));
            }
          });
      return new Image(
          file,
          image.header(),
          image.lengthBytes(),
          image.digest(),
          List.copyOf(image.ancestors()),
          parts,
          late[0],
          late[1],
          messages);
    }
  }

  private void print(Job job, EpochLook look, List<Image> images, List<Finding> findings)
      throws IOException {
    try (Json out = new Json(surroundings.out(), "show")) {
      out.text("job", job.id()).optional("uuid", job.uuid());
      out.object("epoch", () -> out.epoch(look));
      out.objects(
          "images",
          images,
          image -> {
            ImageHeader header = image.header();
            out.number("rank", header.rank());
            out.text("file", image.file().toString());
            out.number("bytes", image.lengthBytes());
            out.text("digest", "%016x".formatted(image.digest()));
            out.number("safePoint", header.safePoint());
            out.number("pageBytes", header.job().pageBytes());
            out.number("blockBytes", header.blockBytes());
            out.objects(
                "ancestors",
                image.ancestors(),
                ancestor -> {
                  out.number("generation", ancestor.epoch().generation());
                  out.number("epoch", ancestor.epoch().epoch());
                  out.number("bytes", ancestor.lengthBytes());
                  out.text("digest", "%016x".formatted(ancestor.digest()));
                });
            out.objects(
                "sections",
                image.parts(),
                part -> {
                  out.text("kind", Sections.kind(part.section()));
                  out.text("name", part.section().name());
                  out.text("type", Sections.type(part.section()));
                  out.number("bytes", part.section().lengthBytes());
                  out.number("storedBytes", part.storedBytes());
                  out.object(
                      "blocks",
                      () -> {
                        for (Codec codec : Codec.values()) {
                          out.number(codec.name().toLowerCase(Locale.ROOT), part.count(codec));
                        }
                      });
                });
            out.number("lateMessages", image.lateMessages());
            out.number("lateBytes", image.lateBytes());
            if (withMessages) {
              out.objects(
                  "messages",
                  image.messages(),
                  message -> {
                    out.text("communicator", "%016x".formatted(message.communicator()));
                    out.number("source", message.source());
                    out.number("tag", message.tag());
                    out.number("bytes", message.lengthBytes());
                  });
            }
          });
      out.objects(
          "copies",
          copies(look),
          held -> {
            out.number("rank", held.image().rank());
            out.text("tier", held.tier());
            out.text(
                "file", held.copy().store().imageFile(look.id(), held.image().rank()).toString());
            out.number("bytes", held.image().lengthBytes());
            out.text("digest", "%016x".formatted(held.image().digest()));
          });
      out.objects("sets", sets(look), set -> print(out, set));
      out.findings("problems", findings);
    }
  }

  /** An image that a tier has. */
  private record HeldImage(String tier, Copy copy, EpochRecord.Image image) {}

  private static List<HeldImage> copies(EpochLook look) {
    List<HeldImage> held = new ArrayList<>();
    for (Copy copy : look.copies()) {
      copy.partnerCopies()
          .forEach(image -> held.add(new HeldImage(Tier.PARTNER.word(), copy, image)));
    }
    held.sort(Comparator.comparingInt(one -> one.image().rank()));
    for (Copy copy : look.copies()) {
      if (copy.shared() && copy.record().isPresent()) {
        copy.record()
            .get()
            .images()
            .forEach(image -> held.add(new HeldImage(Tier.SHARED.word(), copy, image)));
      }
    }
    return held;
  }

  /** A redundancy set, and which of its shards are in stores that were looked at. */
  private record EncodedHere(Encoding encoding, Map<ShardId, Parity> parity) {
    RedundancySet set() {
      return encoding.set().set();
    }
  }

  private static List<EncodedHere> sets(EpochLook look) {
    Map<String, EncodedHere> sets = new TreeMap<>();
    for (Copy copy : look.copies()) {
      for (Parity parity : copy.parity()) {
        sets.computeIfAbsent(
                parity.encoding().key(), key -> new EncodedHere(parity.encoding(), new HashMap<>()))
            .parity()
            .putIfAbsent(parity.id(), parity);
      }
    }
    return sets.values().stream()
        .sorted(Comparator.comparingInt((EncodedHere here) -> here.set().index()))
        .toList();
  }

  private static void print(Json out, EncodedHere here) throws IOException {
    RedundancySet set = here.set();
    out.number("set", set.index());
    out.number("generation", here.encoding().record().encodedBy());
    out.numbers("members", set.members());
    out.number("dataShards", set.dataShards());
    out.number("parityShards", set.parityShards());
    out.number("chunkBytes", here.encoding().set().chunkBytes());
    out.objects(
        "stripes",
        IntStream.range(0, set.size()).boxed().toList(),
        stripe -> {
          out.number("stripe", stripe);
          out.numbers("data", dataRanks(set, stripe));
          out.objects(
              "parity",
              IntStream.range(0, set.parityShards()).boxed().toList(),
              row -> {
                Optional<Parity> parity =
                    Optional.ofNullable(here.parity().get(here.encoding().parity(stripe, row)));
                out.number("row", row);
                out.number("rank", set.holder(stripe, set.dataShards() + row));
                out.optional("file", parity.map(Parity::file));
                out.optional(
                    "bytes",
                    parity.isPresent()
                        ? OptionalLong.of(parity.get().shard().lengthBytes())
                        : OptionalLong.empty());
              });
        });
  }

  private static List<Integer> dataRanks(RedundancySet set, int stripe) {
    return IntStream.range(0, set.dataShards()).mapToObj(i -> set.holder(stripe, i)).toList();
  }

  private void printTiers(EpochLook look) {
    PrintStream out = surroundings.out();
    if (!look.levels().isEmpty()) {
      out.printf(
          "%nprotection: %s%n",
          String.join(", ", look.levels().stream().map(Level::show).toList()));
    }
    List<HeldImage> copies = copies(look);
    if (!copies.isEmpty()) {
      Table table = new Table(Set.of(0, 1), "RANK", "SIZE", "COPY IN");
      for (HeldImage held : copies) {
        table.row(
            Integer.toString(held.image().rank()),
            Units.bytes(held.image().lengthBytes()),
            (held.copy().shared() ? "the shared tier, " : "") + held.copy().store().directory());
      }
      table.print(out, "  ");
    }
    for (EncodedHere here : sets(look)) {
      RedundancySet set = here.set();
      out.printf(
          "%nredundancy set %d, encoded by generation %d: %d+%d, ranks %s, shards of %s%n",
          set.index(),
          here.encoding().record().encodedBy(),
          set.dataShards(),
          set.parityShards(),
          Ranks.show(set.members()),
          Units.bytes(here.encoding().set().chunkBytes()));
      Table table = new Table(Set.of(0, 3), "STRIPE", "DATA OF RANKS", "PARITY AT", "SIZE", "IN");
      for (int stripe = 0; stripe < set.size(); stripe++) {
        List<String> data =
            dataRanks(set, stripe).stream().map(rank -> Integer.toString(rank)).toList();
        for (int row = 0; row < set.parityShards(); row++) {
          Parity parity = here.parity().get(here.encoding().parity(stripe, row));
          table.row(
              row == 0 ? Integer.toString(stripe) : "",
              row == 0 ? String.join(", ", data) : "",
              "rank " + set.holder(stripe, set.dataShards() + row),
              parity == null ? "-" : Units.bytes(parity.shard().lengthBytes()),
              parity == null
                  ? "no store that was looked at"
                  : parity.file().getParent().getParent().toString());
        }
      }
      table.print(out, "  ");
    }
  }

  private void print(EpochLook look, Job job, List<Image> images, List<Finding> findings) {
    PrintStream out = surroundings.out();
    out.printf(
        "%s, epoch %s: %s%s, written %s UTC, %s, %d of %s here%n",
        job.id(),
        EpochLook.name(look.id()),
        look.state().code(),
        findings.isEmpty() ? "" : ", damaged",
        Units.time(look.written()),
        Units.bytes(look.bytes()),
        look.ranks().size(),
        Units.count(look.worldSize(), "rank"));
    for (Image image : images) {
      out.printf(
          "%nrank %d: safe point %d, %s, %s in flight (%s), pages of %d, blocks of %d bytes%n  %s%n",
          image.header().rank(),
          image.header().safePoint(),
          Units.bytes(image.lengthBytes()),
          Units.count(image.lateMessages(), "message"),
          Units.bytes(image.lateBytes()),
          image.header().job().pageBytes(),
          image.header().blockBytes(),
          image.file());
      Table table =
          new Table(
              Set.of(1, 2, 3, 4, 5, 6),
              "WHAT",
              "SIZE",
              "ON DISK",
              "ZERO",
              "RAW",
              "LZ4",
              "FROM PARENT");
      for (Part part : image.parts()) {
        table.row(
            Sections.describe(part.section()),
            Units.bytes(part.section().lengthBytes()),
            Units.bytes(part.storedBytes()),
            Long.toString(part.count(Codec.ZERO)),
            Long.toString(part.count(Codec.RAW)),
            Long.toString(part.count(Codec.LZ4)),
            Units.bytes(part.rawBytes(Codec.PARENT)));
      }
      table.print(out, "  ");
      if (!image.ancestors().isEmpty()) {
        out.printf(
            "  takes bytes from epochs %s%n",
            String.join(
                ", ",
                image.ancestors().stream().map(older -> EpochLook.name(older.epoch())).toList()));
      }
      for (Message message : image.messages()) {
        out.printf(
            "  from rank %d, tag %d, communicator %016x: %d bytes%n",
            message.source(), message.tag(), message.communicator(), message.lengthBytes());
      }
    }
    printTiers(look);
    if (!look.elsewhere().isEmpty()) {
      out.printf("%nin no store that was looked at: ranks %s%n", Ranks.show(look.elsewhere()));
    }
    if (!findings.isEmpty()) {
      out.println();
      findings.forEach(finding -> out.println(finding.message()));
    }
  }
}
