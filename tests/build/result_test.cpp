// What a build makes of its finished stages: annotations, attestations, squashed layers, times.
#include <fstream>

#include <nlohmann/json.hpp>

#include "libimage/build/assemble.h"
#include "libimage/build/attestation.h"
#include "libimage/build/export_tree.h"
#include "libimage/build/first_difference.h"
#include "libimage/compress/codec.h"
#include "libimage/io/path.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/name/platform.h"

#include "tests/build/fixture.h"

namespace lade::build {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using Level = Annotation::Level;

class Result : public BuildTest {
 protected:
  static constexpr const char* kTwoLayers = "FROM scratch\nCOPY a /d/a\nCOPY b /d/b\nLABEL x=y\n";
  void SetUp() override {
    file("a", "one");
    file("b", "two");
  }
  json blob(const oci::Descriptor& descriptor) {
    const auto source = store_.images().open(descriptor);
    return json::parse(read_all(*source, 1U << 20U, "blob"));
  }
  static const oci::Index& index_of(const BuildResult& result) {
    return std::get<oci::Index>(result.index.value().parsed);
  }
  static const oci::Manifest& manifest_of(const BuildResult& result) {
    return std::get<oci::Manifest>(result.images.front().manifest.parsed);
  }
  /// The manifest that the index's last entry names.
  json attestation_manifest(const BuildResult& result) {
    return blob(index_of(result).manifests.back());
  }
  static void attested(BuildOptions& options) {
    options.result.provenance.emplace();
    options.result.sbom = true;
  }
};

TEST_F(Result, AnnotationsAreWrittenAtTheirLevel) {
  const BuildResult one = build(kTwoLayers, [](BuildOptions& options) {
    options.result.annotations = {{.key = "a", .value = "1"},
                                  {.level = Level::manifest_descriptor, .key = "b", .value = "2"}};
  });
  EXPECT_EQ(manifest_of(one).annotations.value().at("a"), "1");
  EXPECT_EQ(one.root().descriptor.annotation("b"), "2");
  const auto named = store_.images().resolve(Tag{"localhost/test:latest"});
  EXPECT_EQ(named.value().annotation("b"), "2");

  const BuildResult two = build(kTwoLayers, [](BuildOptions& options) {
    options.platforms = {parse_platform("linux/amd64"), parse_platform("linux/arm64")};
    options.result.annotations = {
        {.platform = parse_platform("linux/arm64"), .key = "only", .value = "arm"},
        {.level = Level::index, .key = "i", .value = "1"},
        {.level = Level::manifest_descriptor,
         .platform = parse_platform("linux/amd64"),
         .key = "d",
         .value = "2"},
        {.level = Level::index_descriptor, .key = "id", .value = "3"}};
  });
  EXPECT_FALSE(manifest_of(two).annotations.has_value());
  EXPECT_EQ(std::get<oci::Manifest>(two.images[1].manifest.parsed).annotations->at("only"), "arm");
  EXPECT_EQ(index_of(two).annotations.value().at("i"), "1");
  EXPECT_EQ(index_of(two).manifests[0].annotation("d"), "2");
  EXPECT_EQ(index_of(two).manifests[1].annotation("d"), "");
  EXPECT_EQ(two.root().descriptor.annotation("id"), "3");
}

TEST_F(Result, AnAnnotationWithoutAPlaceIsRefused) {
  const auto error = [&](Annotation annotation, oci::Family family = oci::Family::oci) {
    return std::string(error_of(kTwoLayers, [&](BuildOptions& options) {
                         options.family = family;
                         options.result.annotations = {annotation};
                       }).what());
  };
  EXPECT_THAT(error({.level = Level::index, .key = "a"}), HasSubstr("no index for the level"));
  EXPECT_THAT(error({.level = Level::index_descriptor, .key = "a"}), HasSubstr("no index"));
  EXPECT_THAT(error({.platform = parse_platform("linux/s390x"), .key = "a"}),
              HasSubstr("nothing is built for linux/s390x"));
  EXPECT_THAT(error({.key = "a"}, oci::Family::docker), HasSubstr("Docker's format has none"));
}

TEST_F(Result, AttestationsAreAttachedAsBuildKitDoes) {
  const BuildResult result = build(kTwoLayers, attested);
  const oci::Index& index = index_of(result);
  ASSERT_THAT(index.manifests, SizeIs(2));
  const oci::Descriptor& entry = index.manifests.back();
  const std::string image = index.manifests.front().digest.str();
  EXPECT_EQ(oci::to_string(entry.platform.value()), "unknown/unknown");
  EXPECT_EQ(entry.annotation("vnd.docker.reference.type"), "attestation-manifest");
  EXPECT_EQ(entry.annotation("vnd.docker.reference.digest"), image);
  const json manifest = attestation_manifest(result);
  EXPECT_EQ(manifest.at("artifactType"), "application/vnd.docker.attestation.manifest.v1+json");
  EXPECT_EQ(manifest.at("subject").at("digest"), image);
  EXPECT_EQ(manifest.at("config").at("mediaType"), "application/vnd.oci.empty.v1+json");
  ASSERT_THAT(manifest.at("layers"), SizeIs(2));
  const oci::Manifest parsed = oci::parse_manifest(manifest.dump());
  for (const oci::Descriptor& layer : parsed.layers) {
    EXPECT_EQ(layer.media_type, "application/vnd.in-toto+json");
    const json statement = blob(layer);
    EXPECT_EQ(statement.at("_type"), "https://in-toto.io/Statement/v0.1");
    EXPECT_EQ(statement.at("predicateType"), layer.annotation("in-toto.io/predicate-type"));
    EXPECT_EQ(
        cat("sha256:", statement.at("subject")[0].at("digest").at("sha256").get<std::string>()),
        image);
    EXPECT_THAT(statement.at("subject")[0].at("name").get<std::string>(),
                HasSubstr("pkg:docker/localhost/test@latest?platform=linux%2F"));
  }
  EXPECT_EQ(parsed.layers[0].annotation("in-toto.io/predicate-type"), kSpdxType);
  EXPECT_EQ(parsed.layers[1].annotation("in-toto.io/predicate-type"), kProvenanceType);
}

TEST_F(Result, TheOlderFormOfAttestationsHasAConfigForNoPlatform) {
  const BuildResult result = build(kTwoLayers, [](BuildOptions& options) {
    attested(options);
    options.result.attestation_form = AttestationForm::image;
  });
  const json manifest = attestation_manifest(result);
  EXPECT_FALSE(manifest.contains("subject"));
  EXPECT_FALSE(manifest.contains("artifactType"));
  const json config = blob(oci::parse_manifest(manifest.dump()).config);
  EXPECT_EQ(config.at("architecture"), "unknown");
  EXPECT_EQ(config.at("rootfs").at("diff_ids")[0], manifest.at("layers")[0].at("digest"));
}

TEST_F(Result, ProvenanceTellsWhatWasBuiltFromWhat) {
  build("FROM scratch\nCOPY a /a\n", [](BuildOptions& options) { options.names = {"base:1"}; });
  const auto predicate = [&](ProvenanceOptions::Mode mode) {
    const BuildResult result =
        build("FROM base:1\nARG SECRET\nLABEL x=y\n", [&](BuildOptions& options) {
          options.result.provenance = {.mode = mode, .builder_id = "https://ci.example/1"};
          options.build_args = {{"SECRET", "value"}};
        });
    return json::parse(result.images.front().attestations.front().predicate);
  };
  const json least = predicate(ProvenanceOptions::Mode::min);
  const json& definition = least.at("buildDefinition");
  EXPECT_EQ(least.at("runDetails").at("builder").at("id"), "https://ci.example/1");
  ASSERT_THAT(definition.at("resolvedDependencies"), SizeIs(1));
  EXPECT_THAT(definition.at("resolvedDependencies")[0].at("uri").get<std::string>(),
              HasSubstr("base@1?platform="));
  EXPECT_EQ(least.dump().find("value"), std::string::npos);
  EXPECT_EQ(least.at("runDetails").at("metadata").at("buildkit_hermetic"), true);
  const json most = predicate(ProvenanceOptions::Mode::max);
  EXPECT_EQ(most.at("buildDefinition")
                .at("externalParameters")
                .at("request")
                .at("args")
                .at("build-arg:SECRET"),
            "value");
  EXPECT_TRUE(most.at("runDetails").at("metadata").contains("buildkit_metadata"));
}

TEST_F(Result, TheListOfPackagesIsOfTheMergedTree) {
  file("status", "Package: gone\nStatus: install ok installed\nVersion: 1\n");
  file("status2", "Package: bash\nStatus: install ok installed\nVersion: 5\n");
  file("os", "ID=debian\nVERSION_ID=12\n");
  const BuildResult result = build(
      "FROM scratch\nCOPY status /var/lib/dpkg/status\nCOPY os /usr/lib/os-release\n"
      "COPY status2 /var/lib/dpkg/status\n",
      attested);
  const json document = json::parse(result.images.front().attestations.front().predicate);
  std::vector<std::string> names;
  for (const json& package : document.at("packages")) names.push_back(package.at("name"));
  EXPECT_THAT(names, ElementsAre("localhost/test:latest", "debian", "bash"));
}

TEST_F(Result, SquashMakesOneLayerOfTheNewOnes) {
  build("FROM scratch\nCOPY a /base\nCOPY b /gone\n",
        [](BuildOptions& options) { options.names = {"lower"}; });
  const std::string text = cat(shell_base(), "FROM lower\nCOPY --from=base /bin /bin\n",
                               "RUN rm /gone; echo new > /new\nENV A=b\n");
  const BuildResult plain = build(text);
  const auto squashed = [&](Squash squash) {
    return build(text, [&](BuildOptions& options) { options.result.squash = squash; });
  };
  const BuildResult some = squashed(Squash::new_layers);
  const BuildResult all = squashed(Squash::all);
  EXPECT_THAT(some.images.front().config.diff_ids, SizeIs(3));
  EXPECT_THAT(all.images.front().config.diff_ids, SizeIs(1));
  EXPECT_EQ(some.images.front().config.diff_ids[1], plain.images.front().config.diff_ids[1]);
  EXPECT_EQ(tree(plain), tree(some));
  EXPECT_EQ(tree(plain), tree(all));
  EXPECT_EQ(history(all).back(), "SQUASH");
  EXPECT_EQ(squashed(Squash::all).root().descriptor.digest, all.root().descriptor.digest);
}

TEST_F(Result, ATimestampIsTheTimeOfEveryFile) {
  touch("a", {100, 0});
  const BuildResult result = build(kTwoLayers, [](BuildOptions& options) {
    options.timestamp = Timestamp{1'000'000'000, 0};
  });
  EXPECT_EQ(result.images.front().config.created, "2001-09-09T01:46:40Z");
  RootFs root = root_of(result);
  EXPECT_EQ(root.lookup("d/a")->mtime, (Timestamp{1'000'000'000, 0}));
  EXPECT_EQ(root.lookup("d")->mtime, (Timestamp{1'000'000'000, 0}));
}

TEST_F(Result, FilesKeepTheirTimesIfAskedTo) {
  const auto time_of = [&](bool keep) {
    const BuildResult result = build(kTwoLayers, [&](BuildOptions& options) {
      options.source_date_epoch = Timestamp{1'000, 0};
      options.keep_file_times = keep;
    });
    RootFs root = root_of(result);
    return root.lookup("d/a")->mtime;
  };
  EXPECT_EQ(time_of(false), (Timestamp{1'000, 0}));
  EXPECT_EQ(time_of(true).seconds, kThen.seconds);
}

TEST_F(Result, LabelsHistoryAndPlatformAreEdited) {
  build("FROM scratch\nLABEL inherited=1\n",
        [](BuildOptions& options) { options.names = {"base"}; });
  const BuildResult result = build("FROM base\nLABEL mine=2 away=3\n", [](BuildOptions& options) {
    options.result.inherit_labels = false;
    options.result.remove_labels = {"away"};
    options.result.omit_history = true;
    options.result.os_features = {"win32k"};
    options.result.os_version = "10.0";
    options.labels = {{"cli", "4"}};
  });
  const oci::ImageConfig& config = result.images.front().config;
  EXPECT_EQ(config.config->labels,
            (std::map<std::string, std::string>{{"cli", "4"}, {"mine", "2"}}));
  EXPECT_TRUE(config.history.empty());
  EXPECT_EQ(config.os_version, "10.0");
  EXPECT_THAT(config.os_features, ElementsAre("win32k"));
}

TEST_F(Result, IsNotNamedInTheStoreIfItGoesElsewhere) {
  const BuildResult result =
      build(kTwoLayers, [](BuildOptions& options) { options.result.keep = false; });
  EXPECT_FALSE(store_.images().resolve(Tag{"localhost/test:latest"}));
  EXPECT_TRUE(store_.images().entries().empty());
  EXPECT_EQ(result.names.front(), "localhost/test:latest");
  EXPECT_TRUE(store_.images().contains(result.root().descriptor));
}

TEST_F(Result, ExportsItsTreeWithoutWhiteouts) {
  const std::string text = cat(shell_base(), "RUN echo x > /x; rm /bin/busybox\n");
  const BuildResult result = build(text, attested);
  const std::string out = room_.path() + "/out";
  export_directory(store_, result, out, {.attestation_prefix = "a-"}, {});
  const DirFd root = open_dir(out);
  EXPECT_EQ(read_file_at(root, "x", 10), "x\n");
  EXPECT_FALSE(stat_entry(open_dir(out + "/bin"), "busybox"));
  EXPECT_TRUE(stat_entry(root, "a-provenance.json"));
  EXPECT_TRUE(stat_entry(root, "a-sbom.spdx.json"));
}

TEST_F(Result, ExportsOverWhatIsThere) {
  const BuildResult result = build(kTwoLayers);
  const std::string out = room_.path() + "/out";
  const DirFd made = create_dir(out + "/d");
  std::ofstream(out + "/d/a") << "old";
  std::ofstream(out + "/d/mine") << "kept";
  export_directory(store_, result, out, {}, {});
  EXPECT_EQ(read_file(out + "/d/a", 10), "one");
  EXPECT_EQ(read_file(out + "/d/b", 10), "two");
  EXPECT_EQ(read_file(out + "/d/mine", 10), "kept");
}

TEST_F(Result, ExportsADirectoryForEachPlatform) {
  const BuildResult result =
      build("FROM scratch\nARG TARGETARCH\nCOPY a /$TARGETARCH\n", [](BuildOptions& options) {
        options.platforms = {parse_platform("linux/amd64"), parse_platform("linux/arm/v7")};
      });
  const auto paths = [&](std::optional<bool> split) {
    StringSink tar;
    export_tar(store_, result, tar, {.platform_split = split});
    StringSource source(tar.text());
    TarReader reader(source);
    std::vector<std::string> out;
    while (const auto entry = reader.next()) out.push_back(entry->path);
    return out;
  };
  EXPECT_THAT(paths({}), ElementsAre("linux_amd64/", "linux_amd64/amd64", "linux_arm_v7/",
                                     "linux_arm_v7/arm"));
  EXPECT_THAT(paths(false), ElementsAre("amd64", "arm"));
}

TEST_F(Result, DifferencesOfTwoBuildsAreFound) {
  const auto difference = [&](const std::string& first, const std::string& second) {
    const BuildResult one = build(first);
    const BuildResult two = build(second);
    return first_difference(store_.images(), one, store_.images(), two).value_or("none");
  };
  EXPECT_EQ(difference(kTwoLayers, kTwoLayers), "none");
  EXPECT_EQ(difference("FROM scratch\nCOPY a /f\n", "FROM scratch\nCOPY b /f\n"),
            "layer 1 (COPY a /f): 'f': content differs at byte 0: 0x6f, 0x74");
  EXPECT_EQ(difference("FROM scratch\nCOPY a /f\n", "FROM scratch\nCOPY --chmod=600 a /f\n"),
            "layer 1 (COPY a /f): 'f': mode 644, 600");
  EXPECT_EQ(difference("FROM scratch\nCOPY a /f\n", "FROM scratch\nCOPY a /g\n"),
            "layer 1 (COPY a /f): 'f' is only in the first");
  EXPECT_EQ(difference("FROM scratch\nLABEL a=b\n", "FROM scratch\nLABEL a=c\n"),
            "config: config.Labels.a: \"b\", \"c\"");
}

TEST(ImageUrl, IsAPackageUrl) {
  const oci::Platform arm = parse_platform("linux/arm/v7");
  EXPECT_EQ(image_url("docker.io/library/debian:12", arm),
            "pkg:docker/debian@12?platform=linux%2Farm%2Fv7");
  EXPECT_EQ(image_url("127.0.0.1:5000/a/b", parse_platform("linux/amd64")),
            "pkg:docker/127.0.0.1%3A5000/a/b?platform=linux%2Famd64");
  EXPECT_EQ(image_url("oci:/x y:z", arm), "oci:/x y:z");
}

}  // namespace
}  // namespace lade::build
