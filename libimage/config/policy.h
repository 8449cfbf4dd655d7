/// policy.json: which images may be used at all (containers-policy.json(5)).
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/name/image_name.h"

namespace lade {

/// What a policy asks of an image. All requirements of a list must hold.
struct PolicyRequirement {
  enum class Kind { accept_anything, reject, signed_by, sigstore_signed, signed_base_layer };
  Kind kind = Kind::accept_anything;
  bool operator==(const PolicyRequirement&) const = default;
};

/// The name that the file gives the kind: "insecureAcceptAnything", "signedBy"...
std::string_view name_of(PolicyRequirement::Kind kind) noexcept;

struct Policy {
  using Requirements = std::vector<PolicyRequirement>;
  Requirements fallback = {{}};  ///< "default"
  /// By transport, then by scope; the scope "" is the transport's own default.
  std::map<std::string, std::map<std::string, Requirements>> transports = {};
  bool operator==(const Policy&) const = default;

  /// Strict: unknown and repeated members, missing or contradicting ones, empty lists and text
  /// around the document are refused with Error{invalid_content}. Keys and identities are checked
  /// for their form only.
  static Policy parse(std::string_view json);
  /// Error{not_found} if there is no such file, "invalid policy in "PATH": ..." if it is none.
  static Policy read(const std::string& path);
  /// The first of `paths` that exists; nullopt if none does.
  static std::optional<Policy> read_first(const std::vector<std::string>& paths);
};

inline constexpr std::size_t kMaxPolicyBytes = std::size_t{4} * 1024 * 1024;

/// The scopes that may decide about an image, most specific first (without ""): of a docker:// name
/// "host/ns/repo:tag", "host/ns/repo", "host/ns", "host", "*.domain"; of paths the path and its
/// parents; none for names that stand for nothing (docker-archive:).
std::vector<std::string> policy_scopes(const ImageName& name);

/// The requirements that decide about `name`: of the most specific scope alone.
const Policy::Requirements& requirements_for(const Policy& policy, const ImageName& name);

/// Error{denied} if the policy rejects `name`, Error{unsupported} if it demands a signature, which
/// nothing here verifies yet. `shown` is what messages call the image.
void check_policy(const Policy& policy, const ImageName& name, std::string_view shown);

}  // namespace lade
