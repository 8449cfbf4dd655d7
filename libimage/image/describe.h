/// What `lade inspect` shows: everything that the documents and configs under a descriptor say,
/// without opening any layer.
#pragma once
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/oci/document.h"
#include "libimage/oci/image_config.h"
#include "libimage/store/store.h"

namespace lade::image {

/// Bounds on one description: documents and configs read, and their bytes. Honest indexes stay far
/// below; a hostile one could otherwise fill memory with documents of 4 MiB.
inline constexpr std::size_t kMaxDescribedDocuments = 10'000;
inline constexpr std::uint64_t kMaxDescribedBytes = std::uint64_t{64} * 1024 * 1024;

struct LayerLine {
  oci::Descriptor descriptor;
  std::string codec = {};       ///< "gzip", "zstd", "identity"; "" if the type is unknown
  std::string packing = {};     ///< "estargz" or "zstd:chunked": files can be read one by one
  std::string created_by = {};  ///< of the history entry that made it; "" if none matches
  std::string created = {};     ///< likewise
  std::size_t images = 0;       ///< images of this description that hold the layer
};

/// A document of the description: an index with its entries, an image, or something else.
struct Node {
  enum class Kind {
    image,
    index,
    attestation,  ///< BuildKit's: provenance or SBOM of a sibling
    artifact,     ///< a manifest whose config is no image config, or a referrer
    other,        ///< a type that this program does not know
  };
  Kind kind = Kind::other;
  oci::Descriptor descriptor;  ///< as the pointer to it says, entry annotations included
  std::string platform = {};   ///< "linux/arm64", normalised; of the entry, else of the config
  std::string artifact_type = {};
  std::optional<Digest> subject = {};
  oci::Annotations annotations = {};  ///< of the document itself
  std::optional<oci::Descriptor> config_blob = {};
  std::optional<oci::ImageConfig> config = {};
  std::vector<LayerLine> layers = {};        ///< base layer first; blobs of an artifact
  std::vector<std::string> predicates = {};  ///< of an attestation: in-toto predicate types
  std::vector<Node> children = {};           ///< of an index, in its order
  std::vector<Node> attestations = {};       ///< of this image, taken out of the index around it
  std::optional<std::vector<Node>>
      referrers =  ///< nullopt: not asked for, or the store cannot tell
      {};
  std::string tag = {};      ///< of a referrer found by cosign's tags: "sha256-....sig"
  std::string problem = {};  ///< why the document or its config could not be read; "" if it was

  /// Bytes of the layers as stored.
  [[nodiscard]] std::uint64_t layer_bytes() const noexcept;
};

/// "image", "index", "attestation", "artifact" or "other": the word that to_json() documents.
std::string_view name_of(Node::Kind kind) noexcept;

/// Sums over all images of a description (attestations and artifacts are not counted).
struct Totals {
  std::size_t images = 0;
  std::size_t layers = 0;         ///< each image's layers
  std::size_t unique_layers = 0;  ///< each digest once
  std::uint64_t layer_bytes = 0;
  std::uint64_t unique_layer_bytes = 0;
  std::size_t problems = 0;  ///< nodes with a problem
};

struct Description {
  Node root;
  Totals totals;
};

struct DescribeOptions {
  bool referrers = false;  ///< ask for what refers to the root and to each image
  unsigned jobs = 6;       ///< documents fetched at once
  std::stop_token stop = {};
};

/// Reads the document `root`, what an index lists, and the configs of all images; several at a
/// time. A child that is absent or breaks the rules becomes a Node::problem; a root that does is
/// thrown, and so is every failure that another try could mend. Error{limit_exceeded} beyond the
/// bounds above or oci::kMaxIndexDepth.
Description describe(Reader& reader, const oci::Descriptor& root,
                     const DescribeOptions& options = {});

struct TextOptions {
  std::size_t width = 0;  ///< columns; longer lines are cut with an ellipsis; 0: never
  bool colour = false;    ///< ANSI colours
  bool ascii = false;     ///< plain ASCII instead of box-drawing characters
};

/// A tree for people. Pure; ends with a newline. Text from documents is made harmless to terminals.
std::string to_text(const Description& description, const TextOptions& options);

/// Compact JSON with a fixed order of members; pure. Members whose value is empty are left out.
///
/// A node: kind ("image", "index", "attestation", "artifact", "other"), mediaType, digest, size,
/// platform, tag, artifactType, subject, entryAnnotations, annotations, config, layers, layerBytes,
/// predicates, manifests, attestations, referrers, problem. The outermost node also has totals:
/// images, layers, uniqueLayers, layerBytes, uniqueLayerBytes, problems. config: digest, size,
/// mediaType, created, author, user, entrypoint, cmd, env, workingDir, exposedPorts, volumes,
/// labels, stopSignal, healthcheck (test, interval, timeout, startPeriod, startInterval, retries),
/// shell, onBuild. A layer: digest, size, mediaType, codec, packing, createdBy, created, images,
/// urls, annotations.
std::string to_json(const Description& description);

}  // namespace lade::image
