#include <algorithm>
#include <array>
#include <cassert>

#include "libimage/validate/finding.h"

namespace lade::validate {
namespace {

constexpr Severity kError = Severity::error;
constexpr Severity kWarning = Severity::warning;
constexpr Severity kNote = Severity::note;

constexpr auto kRules = std::to_array<Rule>({
    {"annotation-reserved", "annotations.md, \"Rules\"", kWarning,
     "keys that begin with org.opencontainers are those of the specification"},
    {"annotation-value", "annotations.md, \"Pre-Defined Annotation Keys\"", kWarning,
     "predefined annotations have values of their form"},
    {"annotations", "annotations.md, \"Rules\"", kError, "annotations map strings to strings"},
    {"artifact-type", "manifest.md, \"artifactType\"", kError,
     "an artifact type is a media type, and is there where the config is the empty one"},
    {"config-architecture", "config.md, \"architecture\"", kError, "the architecture is a string"},
    {"config-author", "config.md, \"author\"", kError, "the author is a string"},
    {"config-created", "config.md, \"created\"", kError, "times are RFC 3339 text"},
    {"config-env", "config.md, \"Env\"", kWarning, "variables are NAME=VALUE"},
    {"config-execution", "config.md, \"config\"", kError,
     "the execution parameters have their types"},
    {"config-exposed-ports", "config.md, \"ExposedPorts\"", kError,
     "ports are PORT, PORT/tcp or PORT/udp"},
    {"config-history", "config.md, \"history\"", kError, "history entries have their types"},
    {"config-history-count", "config.md, \"history\"", kWarning,
     "as many history entries make layers as there are layers"},
    {"config-os", "config.md, \"os\"", kError, "the operating system is a string"},
    {"config-platform", "image-index.md, \"platform\"", kWarning,
     "the config is of the platform that the index promises"},
    {"config-rootfs", "config.md, \"rootfs\"", kError,
     "rootfs has the type \"layers\" and a list of diff IDs"},
    {"config-stop-signal", "config.md, \"StopSignal\"", kWarning,
     "the stop signal is SIGNAME or a number"},
    {"content-digest", "descriptor.md, \"Verification\"", kError,
     "content has the digest of its descriptor"},
    {"content-missing", "image-layout.md, \"Blobs\"", kError, "what is listed can be read"},
    {"content-size", "descriptor.md, \"size\"", kError, "content has the size of its descriptor"},
    {"descriptor", "descriptor.md, \"Properties\"", kError,
     "a descriptor is an object with mediaType, digest and size"},
    {"descriptor-data", "descriptor.md, \"data\"", kError,
     "embedded data is base64 of the content that the digest names"},
    {"descriptor-digest", "descriptor.md, \"Digests\"", kError, "a digest is ALGORITHM:ENCODED"},
    {"descriptor-digest-algorithm", "descriptor.md, \"Registered Algorithms\"", kWarning,
     "digests are of a registered algorithm"},
    {"descriptor-digest-encoding", "descriptor.md, \"SHA-256\"", kError,
     "the encoded part is lower-case hexadecimal of the algorithm's length"},
    {"descriptor-media-type", "descriptor.md, \"mediaType\"", kError,
     "a media type is that of RFC 6838"},
    {"descriptor-size", "descriptor.md, \"size\"", kError, "a size is a whole number, 0 or more"},
    {"descriptor-url-syntax", "descriptor.md, \"urls\"", kError, "URLs are those of RFC 3986"},
    {"descriptor-urls", "descriptor.md, \"urls\"", kError, "URLs are a list of strings"},
    {"diff-id", "config.md, \"rootfs\"", kError,
     "a diff ID is the digest of the layer's uncompressed tar"},
    {"diff-id-count", "config.md, \"rootfs\"", kError, "there is a diff ID for each layer"},
    {"document", "considerations.md, \"Extensibility\"", kError,
     "a document is an object of the type that its descriptor tells"},
    {"document-media-type", "manifest.md, \"mediaType\"", kError,
     "mediaType is the type that the descriptor tells"},
    {"document-size", "manifest.md, \"Image Manifest\"", kWarning,
     "documents are small enough for every registry"},
    {"empty-descriptor", "manifest.md, \"Guidance for an Empty Descriptor\"", kError,
     "the empty descriptor names the two bytes {}"},
    {"entry-duplicate", "layer.md, \"Distributable Format\"", kError,
     "a path appears once in a layer"},
    {"entry-hard-link", "layer.md, \"Hardlinks\"", kWarning,
     "a hard link names a file that came before it in the layer"},
    {"entry-path", "layer.md, \"Representing Changes\"", kError,
     "paths are relative to the root and stay inside it"},
    {"index-manifests", "image-index.md, \"manifests\"", kError, "manifests is a list"},
    {"index-nesting", "image-index.md, \"mediaType\"", kWarning,
     "indexes are nested no deeper than programs follow them"},
    {"json", "media-types.md, \"OCI Image Media Types\"", kError,
     "documents are JSON in UTF-8 without duplicate names"},
    {"layer-codec", "layer.md, \"+gzip Media Types\"", kError,
     "a layer is compressed as its media type tells"},
    {"layer-media-type", "manifest.md, \"layers\"", kWarning,
     "the layers of an image have a layer's media type"},
    {"layer-nondistributable", "layer.md, \"Non-Distributable Layers\"", kWarning,
     "nondistributable layers are deprecated"},
    {"layer-tar", "layer.md, \"Distributable Format\"", kError, "a layer is a tar archive"},
    {"layout", "image-layout.md, \"oci-layout file\"", kError,
     "oci-layout tells imageLayoutVersion 1.0.0"},
    {"manifest-config", "manifest.md, \"config\"", kError, "config is a descriptor"},
    {"manifest-layers", "manifest.md, \"layers\"", kError, "layers is a list of descriptors"},
    {"manifest-layers-empty", "manifest.md, \"layers\"", kWarning, "there is at least one layer"},
    {"platform", "image-index.md, \"platform\"", kError,
     "a platform has architecture and os, and its members have their types"},
    {"platform-name", "image-index.md, \"platform\"", kWarning,
     "architecture and os are those of Go"},
    {"platform-variant", "image-index.md, \"Platform Variants\"", kWarning,
     "variants are those that the specification lists"},
    {"schema-version", "manifest.md, \"schemaVersion\"", kError, "schemaVersion is 2"},
    {"subject", "manifest.md, \"subject\"", kError, "a subject is a descriptor of a manifest"},
    {"whiteout-content", "layer.md, \"Whiteouts\"", kError, "whiteouts are empty files"},
    {"whiteout-name", "layer.md, \"Whiteouts\"", kError,
     "a whiteout names what it hides; other names do not begin with .wh."},
    {"whiteout-nothing", "layer.md, \"Whiteouts\"", kNote,
     "a whiteout hides something of a lower layer"},
    {"whiteout-own-layer", "layer.md, \"Whiteouts\"", kNote,
     "a whiteout does not stand beside the file of its name"},
});

}  // namespace

std::string_view name_of(Severity severity) noexcept {
  switch (severity) {
    case Severity::error:
      return "error";
    case Severity::warning:
      return "warning";
    case Severity::note:
      break;
  }
  return "note";
}

std::span<const Rule> rules() noexcept { return kRules; }

const Rule& rule(std::string_view id) noexcept {
  const auto found =
      std::find_if(kRules.begin(), kRules.end(), [&](const Rule& one) { return one.id == id; });
  assert(found != kRules.end());
  return *found;
}

}  // namespace lade::validate
