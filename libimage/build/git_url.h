#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace lade::build {

/// A git repository with what to take from it, as ADD and contexts name it:
///
///   https://host/repo.git#REF:SUBDIR    http://, git://, ssh:// too
///   git@host:repo.git#REF:SUBDIR
///   https://host/repo.git?branch=NAME&subdir=DIR&checksum=SHA&keep-git-dir=true&submodules=false
///
/// Nothing in it can be an option of a program, or a protocol that runs one.
struct GitUrl {
  enum class Time {
    commit,    ///< files get the commit's time
    checkout,  ///< files get the time of the build
  };
  std::string remote = {};  ///< what git gets; without user information for http and https
  std::string host = {};
  std::string ref = {};           ///< branch, tag, full ref name or commit; "": the remote's HEAD
  std::string checksum = {};      ///< start of the commit's name, at least 7 digits; "": any commit
  std::string subdirectory = {};  ///< clean path; "": all
  std::optional<bool> keep_git_dir = {};
  bool submodules = true;
  Time time = Time::commit;

  [[nodiscard]] bool is_ssh() const noexcept;
  /// The commit, if `ref` is one written in full.
  [[nodiscard]] std::optional<std::string> commit() const;
  /// "https://host", for http and https: what credentials belong to.
  [[nodiscard]] std::string origin() const;
};

/// True if `text` names a git repository where ADD takes one: git://, ssh://, user@host:path, or
/// http(s):// with a path that ends in .git.
bool is_git_url(std::string_view text);

/// Throws Error{invalid_content}: an unknown query key, one that contradicts the fragment, a ref
/// that git would not have.
GitUrl parse_git_url(std::string_view text);

}  // namespace lade::build
