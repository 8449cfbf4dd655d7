/// The documents of a build's result: manifests, attestations, the index over them.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "libimage/build/build.h"

namespace lade::build {

struct AssembleOptions {
  std::vector<std::string> names = {};  ///< full names, for what attestations are about
  std::vector<Annotation> annotations = {};
  oci::Family family = oci::Family::oci;
  AttestationForm form = AttestationForm::artifact;
};

struct Assembled {
  std::vector<oci::Document> manifests = {};  ///< in the order of the images
  std::optional<oci::Document> index = {};
  [[nodiscard]] const oci::Document& root() const { return index ? *index : manifests.front(); }
};

enum class Attested { no, yes };

/// Throws what assemble() would for images of these platforms: asked before the build.
void check_assembly(const std::vector<oci::Platform>& platforms, Attested attested,
                    const AssembleOptions& options);

/// Makes the documents and stores them, without names. There is an index if there are several
/// images or attestations. `images` have their configs in the store. Error{invalid_argument} for an
/// annotation that has no place (an index's where there is none, another platform's);
/// Error{unsupported} for annotations and attestations in Docker's format, which has none.
Assembled assemble(LayoutStore& store, const std::vector<BuiltImage>& images,
                   const AssembleOptions& options);

}  // namespace lade::build
