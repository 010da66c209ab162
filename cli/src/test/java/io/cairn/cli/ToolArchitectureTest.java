// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.equivalentTo;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import io.cairn.api.NearNames;
import io.cairn.natives.NativeErasureCode;

/**
 * The tool reads what is on disk: it knows no MPI, no launch, and of native code only that which
 * encodes parity.
 */
@AnalyzeClasses(packages = "io.cairn.cli", importOptions = ImportOption.DoNotIncludeTests.class)
class ToolArchitectureTest {

  @ArchTest
  static final ArchRule shouldKnowFilesOnly =
      noClasses()
          .should()
          .dependOnClassesThat(
              resideInAnyPackage("io.cairn..", "mpi..")
                  .and(
                      not(
                          resideInAnyPackage(
                              "io.cairn.cli..",
                              "io.cairn.image..",
                              "io.cairn.store..",
                              "io.cairn.restore..",
                              "io.cairn.tier..")))
                  .and(not(equivalentTo(NearNames.class)))
                  .and(not(equivalentTo(NativeErasureCode.class))));

  @ArchTest
  static final ArchRule shouldHaveNoPartInALaunch =
      noClasses()
          .should()
          .dependOnClassesThat()
          .haveNameMatching(
              "io\\.cairn\\.store\\.(JobDirectory|DirectoryStore|SharedStore|Together|Transport)"
                  + "|io\\.cairn\\.restore\\.(RestoreAgreement|Restorer|RestoredImage)");

  @ArchTest
  static final ArchRule shouldKnowOnlyTheReadingSideOfTiers =
      noClasses()
          .should()
          .dependOnClassesThat(
              resideInAnyPackage("io.cairn.tier..")
                  .and(
                      not(
                          nameMatching(
                              "io\\.cairn\\.tier\\.(Encoding|ExpectedImages|Holdings|ParityCheck"
                                  + "|ProtectionRecord|RedundancySet|ShardId|ShardReader|Tier)"
                                  + "(\\$.*)?"))));
}
