/// Editing of indexes: pure functions on values, and the one that reads what an entry must say.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "libimage/oci/document.h"
#include "libimage/store/store.h"

namespace lade::image {

/// The platform that the config of `image` names, normalised; nullopt if it names none or `image`
/// is an artifact. Errors as read_config().
std::optional<oci::Platform> platform_of(Reader& reader, const oci::Manifest& image);

/// The entry by which an index should list `document`: media type, digest and size, the platform of
/// an image (from its config), the artifactType of an artifact. Other members of `document` (its
/// annotations, say) are not taken over. Error{unsupported} for what is neither manifest nor index.
oci::Descriptor entry_for(Reader& reader, const oci::Descriptor& document);

/// An empty index of `family` with `entries`. Errors as with_entry().
oci::Index make_index(const std::vector<oci::Descriptor>& entries,
                      oci::Family family = oci::Family::oci);

/// What to do with an entry for the same platform that is there already.
enum class SamePlatform { keep_both, replace, refuse };

/// `index` with `entry` at its end. An entry of the same digest is replaced in its place. With
/// SamePlatform::replace the entries for the same platform go, together with the attestations that
/// speak of them. Error{already_exists} where the same platform is refused; Error{unsupported} for
/// an OCI entry in a Docker manifest list; Error{limit_exceeded} beyond oci::kMaxDescriptors.
oci::Index with_entry(oci::Index index, oci::Descriptor entry,
                      SamePlatform same = SamePlatform::keep_both);

/// `index` without the entries of `digest` and the attestations that speak of it (annotation
/// vnd.docker.reference.digest). Error{not_found} if there is none.
oci::Index without_entry(oci::Index index, const Digest& digest);

/// Changes to annotations; `remove` first, then `set`.
struct AnnotationEdit {
  oci::Annotations set = {};
  std::vector<std::string> remove = {};  ///< absent keys are no error
};

/// Changes to one entry; nullopt leaves a member as it is, "" or {} removes it.
struct EntryEdit {
  AnnotationEdit annotations = {};
  std::optional<std::string> os = {};
  std::optional<std::string> architecture = {};
  std::optional<std::string> variant = {};
  std::optional<std::string> os_version = {};
  std::optional<std::vector<std::string>> os_features = {};
  std::optional<std::vector<std::string>> features = {};
};

/// `index` with the entries of `digest` changed. Error{not_found} if there is none.
/// Error{invalid_argument} if a platform would be left without os or architecture.
oci::Index with_edited_entry(oci::Index index, const Digest& digest, const EntryEdit& edit);

/// `index` with its own annotations changed; Error{unsupported} for Docker's list, which has none.
oci::Index with_annotations(oci::Index index, const AnnotationEdit& edit);

}  // namespace lade::image
