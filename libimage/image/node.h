/// What the pieces of describe() share: nodes filled from documents, and walks over trees of them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "libimage/image/describe.h"

namespace lade::image {

inline constexpr const char* kPredicateType = "in-toto.io/predicate-type";

std::uint64_t add_saturating(std::uint64_t a, std::uint64_t b) noexcept;

/// The platform normalised; "" for none and for the "unknown/unknown" of attestations.
std::string platform_text(const oci::Platform& platform);

/// Gives each layer the history entry that made it, if the numbers agree.
void match_history(Node& node);

/// What a descriptor says of its document, should that not be readable.
Node::Kind kind_by_descriptor(const oci::Descriptor& descriptor);

/// What the document of `node` tells of it.
void take_manifest(Node& node, const oci::Manifest& manifest);
void take_index(Node& node, const oci::Index& index);

/// How many questions `reader` is asked at once: only what comes from a registry is waited for.
unsigned jobs_of(const Reader& reader, const DescribeOptions& options);

/// `node`, what is below it, and the attestations there; not referrers.
template <typename Visit>
void visit_nodes(Node& node, const Visit& visit) {
  visit(node);
  for (Node& child : node.children) visit_nodes(child, visit);
  for (Node& attestation : node.attestations) visit_nodes(attestation, visit);
}

/// The images whose manifests could be read.
std::vector<Node*> images_of(Node& root);

/// Adds what refers to `node`, and to that, and so on.
void add_referrers(Node& node, std::vector<Node*>& out);

}  // namespace lade::image
