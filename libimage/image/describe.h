/// What `lade inspect` shows: everything that the documents and configs under a descriptor say,
/// without opening any layer.
#pragma once
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/image/base_image.h"
#include "libimage/image/statement.h"
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
  /// Bytes of the tar, where the layer is stored plain or an annotation tells.
  std::optional<std::uint64_t> unpacked = {};
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
  std::string tag = {};  ///< of a referrer found by cosign's tags: "sha256-....sig"
  /// What its annotations (else its provenance, where that was read) say it was made from.
  std::optional<BaseImage> base = {};
  std::vector<Statement> statements = {};  ///< of an attestation or a referrer, those asked for
  std::string problem = {};  ///< why the document or its config could not be read; "" if it was

  /// Bytes of the layers as stored.
  [[nodiscard]] std::uint64_t layer_bytes() const noexcept;
  /// Bytes of the layers' tars; nullopt unless all are known.
  [[nodiscard]] std::optional<std::uint64_t> unpacked_bytes() const noexcept;
};

/// "image", "index", "attestation", "artifact" or "other": the word that to_json() documents.
std::string_view name_of(Node::Kind kind) noexcept;

/// What an attached document is for, by its tag, types and predicates: "signature", "sbom",
/// "provenance", "attestation"; "" if nothing tells.
std::string_view role_of(const Node& node) noexcept;

/// Sums over all images of a description (attestations and artifacts are not counted).
struct Totals {
  std::size_t images = 0;
  std::size_t layers = 0;         ///< each image's layers
  std::size_t unique_layers = 0;  ///< each digest once
  std::uint64_t layer_bytes = 0;
  std::uint64_t unique_layer_bytes = 0;
  std::size_t problems = 0;  ///< nodes with a problem
};

/// What a copy to a destination would do (CopyForecast).
struct CopyCost {
  std::string destination = {};
  std::uint64_t bytes_to_move = 0, bytes_to_mount = 0, bytes_existing = 0;
  std::size_t blobs_to_move = 0, blobs_to_mount = 0, blobs_existing = 0;
};

struct Description {
  Node root;
  Totals totals;
  std::string name = {};  ///< as the user typed it; "" if nobody said
  /// Names of the same digest: tags_of(). nullopt: not asked for.
  std::optional<std::vector<std::string>> tags = {};
  std::size_t tags_left_out = 0;         ///< which nobody asked for: there are too many
  std::optional<CopyCost> against = {};  ///< if that was asked for
};

struct DescribeOptions {
  /// Ask for what refers to the root, to each image, and to what refers to them.
  bool referrers = false;
  bool provenance = false;  ///< read the provenance among the attestations and referrers
  bool sbom = false;        ///< read the SBOMs
  /// Documents fetched at once, where that means waiting for a registry; what is on this machine is
  /// read faster than threads are started.
  unsigned jobs = 32;
  std::stop_token stop = {};
};

/// Referrers of referrers of ...; more only attack clients.
inline constexpr std::size_t kMaxReferrerDepth = 4;

/// Up to here it costs less to ask for cosign's three tags of each document than for the list of a
/// busy repository's tags.
inline constexpr std::size_t kFewSubjects = 8;

/// Reads the document `root`, what an index lists, and the configs of all images; several at a
/// time. A child that is absent or breaks the rules becomes a Node::problem; a root that does is
/// thrown, and so is every failure that another try could mend. Error{limit_exceeded} beyond the
/// bounds above or oci::kMaxIndexDepth.
Description describe(Reader& reader, const oci::Descriptor& root,
                     const DescribeOptions& options = {});

/// Tags that are asked for, at most: each is a request.
inline constexpr std::size_t kMaxTagsAsked = 5000;

/// Fills in `tags`: the names in the store, that point to the root.
/// Error{unsupported} where the store has no names.
void find_tags(Description& description, Reader& reader, const DescribeOptions& options = {});

/// Forgets the provenance that was read for the base images' sake alone.
void drop_provenance(Description& description);

/// Asks where the names of the base images point now; several at a time, each name once.
void check_bases(Description& description, const OpenBase& open,
                 const DescribeOptions& options = {});

struct TextOptions {
  /// The platform whose image alone is shown with its layers and config, the others as a line each;
  /// nullopt: all are shown.
  std::optional<std::string> only_full = {};
  std::size_t width = 0;  ///< columns; longer lines are cut with an ellipsis; 0: never
  bool colour = false;    ///< ANSI colours
  bool ascii = false;     ///< plain ASCII instead of box-drawing characters
};

/// A tree for people. Pure; ends with a newline. Text from documents is made harmless to terminals.
std::string to_text(const Description& description, const TextOptions& options);

/// Compact JSON with a fixed order of members; pure. Members whose value is empty are left out.
///
/// docs/schema/inspect.json describes it.
std::string to_json(const Description& description);

}  // namespace lade::image
