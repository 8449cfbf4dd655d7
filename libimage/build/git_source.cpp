#include "libimage/build/git_source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/program.h"

namespace lade::build {
namespace {

constexpr std::string_view kDefaultPrograms = "/usr/local/bin:/usr/bin:/bin";
constexpr int kMaxDepth = 1000;
/// No file that git writes is larger (units of 512 bytes: 64 GiB): a server may send without end.
constexpr std::string_view kLimits = "umask 022; ulimit -f 134217728; exec \"$@\"";

std::string last_words(const std::string& err) {
  std::string_view text = trimmed(err);
  constexpr std::size_t kShown = 600;
  if (text.size() > kShown) text.remove_prefix(text.size() - kShown);
  std::string out;
  for (const std::string_view line : split(text, '\n')) {
    if (!out.empty()) out += "; ";
    out += printable(trimmed(line));
  }
  return out;
}

std::optional<std::string> value_of(const BuildOptions& options, const std::string& name) {
  const auto found = options.program_environment.find(name);
  if (found == options.program_environment.end()) return std::nullopt;
  return found->second;
}

/// A secret given for this host, or for all.
std::optional<std::string> secret(const BuildOptions& options, const std::string& name,
                                  const std::string& host) {
  constexpr std::uint64_t kMaxBytes = std::uint64_t{64} * 1024;
  for (const std::string& id : {cat(name, ".", host), name}) {
    const auto given = options.secrets.find(id);
    if (given == options.secrets.end()) continue;
    const std::string text =
        given->second.file.empty() ? given->second.value : read_file(given->second.file, kMaxBytes);
    const std::string_view value = trimmed(text);
    if (value.find_first_of(std::string_view("\0\r\n", 3)) != std::string_view::npos)
      throw Error(Errc::invalid_content, cat("secret ", quoted(id), " is more than one line"));
    return std::string(value);
  }
  return std::nullopt;
}

/// Removes every .git below `dir` if asked to, and gives all files one time.
void finish_tree(const DirFd& dir, bool keep_git_dir, const std::optional<Timestamp>& time,
                 int depth) {
  if (depth > kMaxDepth) throw Error(Errc::limit_exceeded, "the checkout is too deep");
  for (const std::string& name : list_names(dir)) {
    if (name == ".git") {
      if (!keep_git_dir) remove_tree(dir, name);
      continue;
    }
    const auto status = stat_entry(dir, name);
    if (!status) continue;
    if (S_ISDIR(status->st_mode))
      finish_tree(DirFd(open_entry(dir, name, O_RDONLY | O_DIRECTORY)), keep_git_dir, time,
                  depth + 1);
    if (!time) continue;
    const timespec when{time->seconds, static_cast<long>(time->nanoseconds)};
    const timespec times[] = {when, when};
    if (::utimensat(dir.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
      throw_errno(cat("set the time of ", quoted(name)));
  }
}

}  // namespace

GitSource::GitSource(GitUrl url, const BuildOptions& options)
    : url_(std::move(url)), options_(options) {
  if (const auto commit = url_.commit()) commit_ = *commit;
}

std::vector<std::string> GitSource::environment() const {
  std::vector<std::string> out = {
      cat("PATH=", value_of(options_, "PATH").value_or(std::string(kDefaultPrograms))),
      "HOME=/nonexistent",
      "LC_ALL=C.UTF-8",
      "GIT_CONFIG_NOSYSTEM=1",
      "GIT_CONFIG_GLOBAL=/dev/null",
      "GIT_ATTR_NOSYSTEM=1",
      "GIT_TERMINAL_PROMPT=0",
      "GIT_ASKPASS=/bin/false",
      "SSH_ASKPASS=/bin/false",
      "GIT_ALLOW_PROTOCOL=https:http:ssh:git",
      "GIT_SSH_COMMAND=ssh -F /dev/null -o BatchMode=yes"};
  for (const auto& [name, value] : options_.program_environment) {
    if (lower_case(name).ends_with("_proxy")) out.push_back(cat(name, "=", value));
  }
  const auto agent = options_.agents.find("default");
  if (url_.is_ssh() && agent != options_.agents.end())
    out.push_back(cat("SSH_AUTH_SOCK=", agent->second));
  // Configuration by the environment, not by arguments that everybody's ps shows.
  std::vector<std::pair<std::string, std::string>> settings = {{"core.hooksPath", "/dev/null"},
                                                               {"core.fsmonitor", "false"},
                                                               {"gc.auto", "0"},
                                                               {"maintenance.auto", "false"},
                                                               {"advice.detachedHead", "false"},
                                                               {"http.lowSpeedLimit", "1000"},
                                                               {"http.lowSpeedTime", "60"},
                                                               {"init.defaultBranch", "main"},
                                                               {"protocol.version", "2"},
                                                               {"safe.directory", "*"}};
  if (const std::string origin = url_.origin(); !origin.empty()) {
    std::optional<std::string> header = secret(options_, "GIT_AUTH_HEADER", url_.host);
    if (!header) {
      if (const auto token = secret(options_, "GIT_AUTH_TOKEN", url_.host))
        header = cat("basic ", to_base64(cat("x-access-token:", *token)));
    }
    if (header)
      settings.emplace_back(cat("http.", origin, "/.extraHeader"), cat("Authorization: ", *header));
  }
  out.push_back(cat("GIT_CONFIG_COUNT=", settings.size()));
  for (std::size_t i = 0; i < settings.size(); ++i) {
    out.push_back(cat("GIT_CONFIG_KEY_", i, "=", settings[i].first));
    out.push_back(cat("GIT_CONFIG_VALUE_", i, "=", settings[i].second));
  }
  return out;
}

std::string GitSource::git(const std::vector<std::string>& words, const std::string& directory,
                           const std::stop_token& stop) const {
  const std::string path = value_of(options_, "PATH").value_or(std::string(kDefaultPrograms));
  ProgramCall call{.path = "/bin/sh",
                   .args = {"-c", std::string(kLimits), "git", find_program("git", path)},
                   .environment = environment(),
                   .directory = directory.empty() ? "/" : directory,
                   .max_output = std::size_t{16} << 20U};
  call.args.insert(call.args.end(), words.begin(), words.end());
  const ProgramResult result = run_program(call, stop);
  if (result.status != 0)
    throw Error(Errc::command_failed, cat("git ", words.front(), ": ", last_words(result.err)));
  return result.out;
}

const std::string& GitSource::commit(const std::stop_token& stop) {
  if (commit_.empty()) {
    const std::string ref = url_.ref.empty() ? "HEAD" : url_.ref;
    const std::string answer =
        git({"ls-remote", "--", url_.remote, ref, cat(ref, "^{}")}, "", stop);
    // The commit behind a tag goes before the tag itself; a branch before a tag of that name would
    // be git's own order, a tag before a branch is that of its ref lookup: as rev-parse has it.
    int best = 0;
    for (const std::string_view line : split(answer, '\n')) {
      const std::size_t tab = line.find('\t');
      if (tab == std::string_view::npos) continue;
      const std::string_view name = line.substr(tab + 1);
      int rank = 0;
      if (name == ref) rank = 6;
      if (name == cat(ref, "^{}")) rank = 7;
      if (name == cat("refs/tags/", ref, "^{}")) rank = 5;
      if (name == cat("refs/tags/", ref)) rank = 4;
      if (name == cat("refs/heads/", ref)) rank = 3;
      if (name == cat("refs/", ref)) rank = 2;
      if (rank > best) {
        best = rank;
        commit_ = std::string(line.substr(0, tab));
      }
    }
    if (commit_.empty())
      throw Error(Errc::not_found,
                  cat("the repository ", quoted(url_.remote), " has no ref ", quoted(ref)));
    const bool valid = (commit_.size() == 40 || commit_.size() == 64) &&
                       commit_.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!valid) throw Error(Errc::invalid_content, cat("git ls-remote answers ", quoted(commit_)));
  }
  if (!commit_.starts_with(url_.checksum))
    throw Error(Errc::digest_mismatch, cat("the ref is commit ", commit_, ", not ", url_.checksum));
  return commit_;
}

void GitSource::fetch(const std::string& path, const std::stop_token& stop) {
  const auto fetched = [&](const std::vector<std::string>& how) {
    std::vector<std::string> words = {"fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
                                      "--recurse-submodules=no"};
    words.insert(words.end(), how.begin(), how.end());
    git(words, path, stop);
  };
  try {
    fetched({"--depth=1", "--", url_.remote, commit_});
    return;
  } catch (const Error& e) {
    if (e.code() != Errc::command_failed) throw;
  }
  // A server may not give a commit by its name: by its ref then, and else everything.
  const std::string ref = url_.ref.empty() ? "HEAD" : url_.ref;
  if (!url_.commit()) {
    try {
      fetched({"--depth=1", "--", url_.remote, ref});
      git({"cat-file", "-e", cat(commit_, "^{commit}")}, path, stop);
      return;
    } catch (const Error& e) {
      if (e.code() != Errc::command_failed) throw;
    }
  }
  fetched({"--", url_.remote, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"});
}

DirFd GitSource::checkout(const std::string& path, bool keep_git_dir, const std::stop_token& stop) {
  commit(stop);
  return with_context(
      [&] { return cat("fetch ", quoted(url_.remote)); },
      [&] {
        git({"init", "--quiet", "--template="}, path, stop);
        git({"remote", "add", "origin", url_.remote}, path, stop);
        fetch(path, stop);
        git({"checkout", "--quiet", "--detach", commit_, "--"}, path, stop);
        if (url_.submodules)
          git({"submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"}, path, stop);
        std::optional<Timestamp> time;
        if (url_.time == GitUrl::Time::commit) {
          const std::string text(trimmed(git({"log", "-1", "--format=%ct", commit_}, path, stop)));
          time = Timestamp{.seconds = static_cast<std::int64_t>(parse_decimal(text).value_or(0))};
        } else {
          time = options_.clock();
        }
        DirFd root = open_dir(path);
        finish_tree(root, keep_git_dir, time, 0);
        if (url_.subdirectory.empty()) return root;
        return DirFd(open_in_root(root, url_.subdirectory, O_RDONLY | O_DIRECTORY));
      });
}

}  // namespace lade::build
