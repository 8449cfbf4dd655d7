/// Where build contexts come from: directories, archives, git repositories, http servers, images.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "libimage/build/build.h"

namespace lade::build {

/// A context as users name it.
struct ContextName {
  enum class Kind {
    input,  ///< "-": standard input, a tar or a Containerfile
    path,   ///< a directory or a tar of this machine
    git,    ///< see git_url.h; as a context also "github.com/OWNER/NAME"
    http,   ///< a tar; if it is none, the Containerfile itself
    image,  ///< docker-image://, container-image://, docker://, oci-layout://DIR[:TAG|@DIGEST]
  };
  Kind kind = Kind::path;
  std::string text = {};  ///< path, URL, or the image's name as FROM has it
  bool operator==(const ContextName&) const = default;
};

/// Throws Error{invalid_argument}.
ContextName parse_context_name(std::string_view text);

/// The context that was given for `name` (--build-context): for "name::platform", then for "name";
/// "docker.io/library/x:latest", "x:latest" and "x" are the same name. Never for "scratch" or
/// "context".
std::optional<ContextName> named_context(const std::map<std::string, std::string>& contexts,
                                         const std::string& name, const oci::Platform& platform);

/// A context whose files are here.
struct FetchedContext {
  std::string path = {};  ///< a directory; "" if there is only a Containerfile, or nothing
  std::unique_ptr<LocalStore::Workspace> room = {};  ///< that holds it, if it was fetched
  std::optional<std::string> containerfile = {};     ///< what came instead of files
  std::string id = {};  ///< of what was fetched: a commit; "" if that is not known
};

/// Fetches what `name` names, unless it is a directory. Archives are unpacked as somebody without
/// rights would: no owners, no devices, nothing outside the directory. Images are
/// Error{invalid_argument}.
FetchedContext fetch_context(const ContextName& name, const BuildOptions& options,
                             const BuildServices& services, const std::stop_token& stop);

}  // namespace lade::build
