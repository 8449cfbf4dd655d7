#pragma once
#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "libimage/base/timestamp.h"
#include "libimage/base/unique_fd.h"
#include "libimage/build/build.h"
#include "libimage/build/git_url.h"

namespace lade::build {

/// What is taken from a repository by the system's git, which is given no terminal, no
/// configuration of the user or the machine, no hooks and only the protocols https, http, ssh and
/// git; it is killed with all it started when the build stops. Credentials are the secrets
/// GIT_AUTH_TOKEN, GIT_AUTH_HEADER (or with ".HOST" behind), the agent is that of id "default".
class GitSource {
 public:
  GitSource(GitUrl url, const BuildOptions& options);

  [[nodiscard]] const GitUrl& url() const noexcept { return url_; }

  /// The commit that the ref points to: the URL's own, or the remote's answer (asked once). Throws
  /// Error{not_found} for a ref that is not there, {digest_mismatch} if it is not the commit that
  /// the URL pins, {command_failed} with git's last words.
  const std::string& commit(const std::stop_token& stop);

  /// Checks the commit out into the empty directory `path` and returns its subdirectory, which no
  /// link leads out of. Files have the modes 0644 and 0755 and one mtime. Without `keep_git_dir`
  /// there is no .git in it, of submodules neither.
  DirFd checkout(const std::string& path, bool keep_git_dir, const std::stop_token& stop);

 private:
  std::string git(const std::vector<std::string>& words, const std::string& directory,
                  const std::stop_token& stop) const;
  [[nodiscard]] std::vector<std::string> environment() const;
  void fetch(const std::string& path, const std::stop_token& stop);

  GitUrl url_;
  const BuildOptions& options_;
  std::string commit_;
};

}  // namespace lade::build
