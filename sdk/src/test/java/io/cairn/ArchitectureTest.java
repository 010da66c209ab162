// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackages;
import static com.tngtech.archunit.lang.conditions.ArchConditions.be;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.methods;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noMethods;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import io.cairn.capture.Pages;
import io.cairn.capture.WrittenPages;
import io.cairn.coordinate.AutomaticInterval;
import io.cairn.coordinate.Capture;
import io.cairn.coordinate.CutRefusedException;
import io.cairn.coordinate.Fabric;
import io.cairn.coordinate.Group;
import io.cairn.coordinate.Hold;
import io.cairn.coordinate.Ledger;
import io.cairn.coordinate.MeanTime;
import io.cairn.coordinate.PulseWatch;
import io.cairn.coordinate.SealedChannels;
import io.cairn.coordinate.Store;
import io.cairn.image.FileSpace;
import io.cairn.store.ErasureCode;
import io.cairn.store.QuietWait;
import io.cairn.store.Transport;
import io.cairn.store.TransportException;
import java.io.Externalizable;
import java.io.ObjectInput;
import java.io.ObjectOutput;
import java.io.Serializable;
import java.util.Set;

/** The arrows of docs/decisions/0001: which package may know which. */
@AnalyzeClasses(packages = "io.cairn", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {

  /** What {@code coordinate} owns and the packages around it implement or speak. */
  private static final Set<Class<?>> PORTS =
      Set.of(
          Capture.class,
          CutRefusedException.class,
          Fabric.class,
          Group.class,
          Hold.class,
          Ledger.class,
          PulseWatch.class,
          SealedChannels.class,
          Store.class);

  /** What {@code store} owns and {@code natives} implement or speak. */
  private static final Set<Class<?>> STORE_PORTS =
      Set.of(ErasureCode.class, QuietWait.class, Transport.class, TransportException.class);

  @ArchTest
  static final ArchRule shouldKeepEveryClassInAKnownPackage =
      classes()
          .should()
          .resideInAnyPackage(
              "io.cairn",
              "io.cairn.api",
              "io.cairn.capture",
              "io.cairn.coordinate",
              "io.cairn.image",
              "io.cairn.natives",
              "io.cairn.report",
              "io.cairn.restore",
              "io.cairn.store",
              "io.cairn.tier");

  @ArchTest static final ArchRule shouldKeepApiFreeOfEverythingElse = onlyKnows("api", nothing());

  @ArchTest
  static final ArchRule shouldKeepTheProtocolFreeOfItsSurroundings =
      onlyKnows("coordinate", inPackage("api").or(inPackage("image")));

  @ArchTest
  static final ArchRule shouldLetCaptureKnowImagesAndPortsOnly =
      onlyKnows("capture", inPackage("api").or(inPackage("image")).or(ports()));

  @ArchTest
  static final ArchRule shouldLetTheStoreKnowImagesAndPortsOnly =
      onlyKnows("store", inPackage("image").or(ports()));

  @ArchTest
  static final ArchRule shouldLetRestoreKnowWhatItMirrors =
      onlyKnows(
          "restore",
          inPackage("image")
              .or(inPackage("store"))
              .or(inPackage("tier"))
              .or(inPackage("capture"))
              .or(ports()));

  @ArchTest
  static final ArchRule shouldLetTiersKnowTheStoreTheyAddTo =
      onlyKnows(
          "tier",
          inPackage("image")
              .or(inPackage("store"))
              .or(ports())
              .or(oneOf(Set.of(AutomaticInterval.class, MeanTime.class))));

  private static final Set<Class<?>> CAPTURE_PORTS =
      Set.of(Pages.class, WrittenPages.class, WrittenPages.Region.class);

  @ArchTest
  static final ArchRule shouldLetNativesKnowOnlyWhatTheyImplement =
      onlyKnows(
          "natives",
          ports()
              .or(oneOf(CAPTURE_PORTS))
              .or(oneOf(Set.of(FileSpace.class)))
              .or(oneOf(STORE_PORTS)));

  @ArchTest
  static final ArchRule shouldLetReportsKnowPortsAndEpochsOnly =
      onlyKnows("report", inPackage("image").or(ports()));

  /** So that images can be read, checked and shown where nothing else of Cairn can run. */
  @ArchTest
  static final ArchRule shouldKeepImagesReadableAnywhere =
      classes()
          .that()
          .resideInAPackage("io.cairn.image")
          .should()
          .onlyDependOnClassesThat()
          .resideInAnyPackage(
              "io.cairn.image",
              "java..",
              "com.sun.nio.file", // direct I/O
              "net.jpountz..",
              "net.openhft.chronicle..",
              "net.openhft.hashing..");

  /** The Java bindings are leaving Open MPI: what isn't tied to them outlives them. */
  @ArchTest
  static final ArchRule shouldTouchTheJavaBindingsAtStartUpOnly =
      noClasses()
          .that()
          .doNotHaveFullyQualifiedName("io.cairn.JavaMpi")
          .and()
          .doNotHaveFullyQualifiedName("io.cairn.Cairn") // parameters of its receives
          .should()
          .dependOnClassesThat()
          .resideInAPackage("mpi..");

  @ArchTest
  static final ArchRule shouldDeclareNativeMethodsInOnePlace =
      methods()
          .that()
          .haveModifier(JavaModifier.NATIVE)
          .should()
          .beDeclaredInClassesThat()
          .resideInAPackage("io.cairn.natives");

  /** Formats are written out field by field; the class library's would tie them to class files. */
  @ArchTest
  static final ArchRule shouldNotUseJavaSerialization =
      noClasses()
          .should()
          .dependOnClassesThat(
              JavaClass.Predicates.assignableTo(ObjectInput.class)
                  .or(JavaClass.Predicates.assignableTo(ObjectOutput.class))
                  .or(JavaClass.Predicates.assignableTo(Externalizable.class)))
          .orShould(be(declaredSerializable()));

  @ArchTest
  static final ArchRule shouldNotHookIntoJavaSerialization =
      noMethods()
          .should()
          .haveNameMatching("(read|write)(Object|External|Replace)|readResolve|readObjectNoData");

  private static ArchRule onlyKnows(String name, DescribedPredicate<JavaClass> others) {
    return classes()
        .that()
        .resideInAPackage("io.cairn." + name)
        .should()
        .onlyDependOnClassesThat(
            resideOutsideOfPackages("io.cairn", "io.cairn..").or(inPackage(name)).or(others));
  }

  private static DescribedPredicate<JavaClass> inPackage(String name) {
    return resideInAPackage("io.cairn." + name);
  }

  private static DescribedPredicate<JavaClass> nothing() {
    return DescribedPredicate.alwaysFalse();
  }

  private static DescribedPredicate<JavaClass> ports() {
    return oneOf(PORTS).as("ports of coordinate");
  }

  /** These types and what is nested in them. */
  private static DescribedPredicate<JavaClass> oneOf(Set<Class<?>> types) {
    return describe(
        "one of " + types,
        type -> {
          JavaClass element = type.getBaseComponentType();
          return types.stream()
              .map(Class::getName)
              .anyMatch(
                  name ->
                      element.getName().equals(name) || element.getName().startsWith(name + "$"));
        });
  }

  /** Itself, that is; not by way of Throwable or Enum, which can't be helped. */
  private static DescribedPredicate<JavaClass> declaredSerializable() {
    return describe(
        "declared Serializable",
        type ->
            type.getRawInterfaces().stream().anyMatch(i -> i.isEquivalentTo(Serializable.class)));
  }
}
