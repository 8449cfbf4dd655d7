#include "libimage/build/assemble.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/attestation.h"
#include "libimage/name/platform.h"

namespace lade::build {
namespace {

using Level = Annotation::Level;

constexpr std::string_view kInToto = "application/vnd.in-toto+json";
constexpr std::string_view kAttestationType = "application/vnd.docker.attestation.manifest.v1+json";

std::string_view level_name(Level level) {
  switch (level) {
    case Level::manifest:
      return "manifest";
    case Level::index:
      return "index";
    case Level::manifest_descriptor:
      return "manifest-descriptor";
    case Level::index_descriptor:
      return "index-descriptor";
  }
  return {};
}

bool fits(const Annotation& annotation, const oci::Platform& platform) {
  return !annotation.platform || normalised(*annotation.platform) == normalised(platform);
}

class Assembler {
 public:
  Assembler(LayoutStore& store, const AssembleOptions& options)
      : store_(store), options_(options) {}

  Assembled run(const std::vector<BuiltImage>& images) {
    const bool attested = std::any_of(images.begin(), images.end(), [](const BuiltImage& image) {
      return !image.attestations.empty();
    });
    const bool indexed = images.size() > 1 || attested;
    std::vector<oci::Platform> platforms;
    for (const BuiltImage& image : images) platforms.push_back(image.platform);
    check_assembly(platforms, attested ? Attested::yes : Attested::no, options_);
    Assembled out;
    for (const BuiltImage& image : images) out.manifests.push_back(manifest_of(image));
    if (!indexed) {
      annotate(out.manifests.front().descriptor.annotations, Level::manifest_descriptor,
               &images.front().platform);
      return out;
    }
    oci::Index index{.media_type = oci::MediaType(options_.family == oci::Family::oci
                                                      ? oci::kImageIndex
                                                      : oci::kDockerManifestList)};
    for (std::size_t i = 0; i < images.size(); ++i) {
      oci::Descriptor entry = out.manifests[i].descriptor;
      entry.platform = images[i].platform;
      annotate(entry.annotations, Level::manifest_descriptor, &images[i].platform);
      index.manifests.push_back(std::move(entry));
    }
    for (std::size_t i = 0; i < images.size(); ++i) {
      if (!images[i].attestations.empty())
        index.manifests.push_back(attestation_of(images[i], out.manifests[i].descriptor));
    }
    annotate(index.annotations, Level::index, nullptr);
    std::string raw = oci::serialise(index);
    const oci::MediaType type = index.media_type;
    out.index = stored(type, std::move(raw), std::move(index));
    annotate(out.index->descriptor.annotations, Level::index_descriptor, nullptr);
    return out;
  }

 private:
  void annotate(std::optional<oci::Annotations>& to, Level level,
                const oci::Platform* platform) const {
    for (const Annotation& annotation : options_.annotations) {
      if (annotation.level != level || (platform != nullptr && !fits(annotation, *platform)))
        continue;
      if (!to) to.emplace();
      (*to)[annotation.key] = annotation.value;
    }
  }

  oci::Document stored(const oci::MediaType& media_type, std::string raw,
                       std::variant<oci::Manifest, oci::Index, oci::Unknown> parsed) {
    if (raw.size() > oci::kMaxManifestBytes)
      throw Error(Errc::limit_exceeded, cat("a manifest would have ", raw.size(),
                                            " bytes, more than ", oci::kMaxManifestBytes));
    oci::Descriptor descriptor = oci::describe(media_type, raw);
    store_.put_manifest(descriptor, raw);
    return {
        .descriptor = std::move(descriptor), .raw = std::move(raw), .parsed = std::move(parsed)};
  }

  oci::Descriptor put(std::string_view media_type, std::string_view text) {
    oci::Descriptor blob = oci::describe(oci::MediaType(media_type), text);
    if (!store_.contains(blob)) {
      const auto writer = store_.start_blob({.expected = blob});
      writer->write(bytes_of(text));
      writer->commit(blob.media_type);
    }
    return blob;
  }

  oci::Document manifest_of(const BuiltImage& image) {
    const bool oci_family = options_.family == oci::Family::oci;
    oci::Manifest manifest{
        .media_type = oci::MediaType(oci_family ? oci::kImageManifest : oci::kDockerManifest),
        .config =
            put(oci_family ? oci::kImageConfig : oci::kDockerConfig, oci::serialise(image.config))};
    for (const RootFsLayer& layer : image.root.layers()) manifest.layers.push_back(layer.blob);
    if (oci_family && !image.annotations.empty()) manifest.annotations = image.annotations;
    annotate(manifest.annotations, Level::manifest, &image.platform);
    std::string raw = oci::serialise(manifest);
    const oci::MediaType type = manifest.media_type;
    return stored(type, std::move(raw), std::move(manifest));
  }

  /// The index's entry for the manifest that holds what is attested of `image`.
  oci::Descriptor attestation_of(const BuiltImage& image, const oci::Descriptor& subject) {
    std::vector<std::string> names;
    for (const std::string& name : options_.names) names.push_back(image_url(name, image.platform));
    oci::Manifest manifest{.config = {.digest = subject.digest}};
    oci::ImageConfig config{
        .architecture = "unknown", .os = "unknown", .config = oci::ExecutionConfig{}};
    for (const Attestation& attestation : image.attestations) {
      manifest.layers.push_back(put(kInToto, statement(attestation, names, subject.digest)));
      manifest.layers.back().annotations = {
          {{"in-toto.io/predicate-type", attestation.predicate_type}}};
      config.diff_ids.push_back(DiffId{manifest.layers.back().digest});  // stored as they are
    }
    if (options_.form == AttestationForm::artifact) {
      manifest.artifact_type = kAttestationType;
      manifest.config = put(oci::kEmptyJson, "{}");
      manifest.subject = subject;
      manifest.subject->annotations.reset();
    } else {
      manifest.config = put(oci::kImageConfig, oci::serialise(config));
    }
    std::string raw = oci::serialise(manifest);
    const oci::MediaType type = manifest.media_type;
    const std::string artifact_type = manifest.artifact_type;
    oci::Descriptor entry = stored(type, std::move(raw), std::move(manifest)).descriptor;
    entry.artifact_type = artifact_type;
    entry.annotations = {{{"vnd.docker.reference.digest", subject.digest.str()},
                          {"vnd.docker.reference.type", "attestation-manifest"}}};
    entry.platform = oci::Platform{.architecture = "unknown", .os = "unknown"};
    return entry;
  }

  LayoutStore& store_;
  const AssembleOptions& options_;
};

}  // namespace

void check_assembly(const std::vector<oci::Platform>& platforms, Attested attested,
                    const AssembleOptions& options) {
  const bool docker = options.family == oci::Family::docker;
  if (docker && attested == Attested::yes)
    throw Error(Errc::unsupported, "Docker's format has no attestations: they need the OCI format");
  const bool indexed = platforms.size() > 1 || attested == Attested::yes;
  for (const Annotation& annotation : options.annotations) {
    const auto refuse = [&](Errc code, std::string_view why) {
      throw Error(code, cat("annotation ", quoted(annotation.key), ": ", why));
    };
    const std::string_view level = level_name(annotation.level);
    if (docker) refuse(Errc::unsupported, "Docker's format has none");
    const bool of_index =
        annotation.level == Level::index || annotation.level == Level::index_descriptor;
    if (of_index && !indexed)
      refuse(Errc::invalid_argument,
             cat("there is no index for the level '", level, "'; the result is a single image"));
    if (!annotation.platform) continue;
    if (of_index) refuse(Errc::invalid_argument, cat("level '", level, "' takes no platform"));
    if (std::none_of(platforms.begin(), platforms.end(),
                     [&](const oci::Platform& platform) { return fits(annotation, platform); }))
      refuse(Errc::invalid_argument,
             cat("nothing is built for ", oci::to_string(*annotation.platform)));
  }
}

Assembled assemble(LayoutStore& store, const std::vector<BuiltImage>& images,
                   const AssembleOptions& options) {
  return Assembler(store, options).run(images);
}

}  // namespace lade::build
