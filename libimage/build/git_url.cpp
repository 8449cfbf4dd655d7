#include "libimage/build/git_url.h"

#include <algorithm>
#include <map>
#include <vector>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade::build {
namespace {

constexpr std::size_t kMaxUrl = 4096;
constexpr std::size_t kMinChecksum = 7;

[[noreturn]] void refuse(std::string message) {
  throw Error(Errc::invalid_content, cat("git URL: ", message));
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

bool is_hex(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

bool is_full_commit(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) && is_hex(text);
}

/// user@host:path, as scp has it; npos if `text` is not of that form, else the colon's place.
std::size_t scp_colon(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && is_word(text[at])) ++at;
  if (at == 0 || at >= text.size() || text[at] != '@') return std::string_view::npos;
  const std::size_t host = ++at;
  while (at < text.size() && is_word(text[at])) ++at;
  if (at == host || at >= text.size() || text[at] != ':') return std::string_view::npos;
  return text.substr(at + 1).starts_with("//") ? std::string_view::npos : at;
}

std::string_view scheme_of(std::string_view text) {
  for (const std::string_view scheme : {"https://", "http://", "git://", "ssh://"}) {
    if (lower_case(text.substr(0, scheme.size())) == scheme) return scheme;
  }
  return {};
}

/// Bytes below 0x21 and DEL: no URL holds them, and git's own messages would repeat them.
void check_characters(std::string_view text) {
  const bool clean = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) != 0x7F;
  });
  if (!clean) refuse(cat(quoted(text), " holds blanks or control characters"));
}

/// git-check-ref-format(1), and nothing that could be an option.
void check_ref(std::string_view ref) {
  const bool bad =
      ref.starts_with('-') || ref.starts_with('/') || ref.ends_with('/') || ref.ends_with('.') ||
      ref.ends_with(".lock") || ref == "@" || ref.find("..") != std::string_view::npos ||
      ref.find("//") != std::string_view::npos || ref.find("@{") != std::string_view::npos ||
      ref.find("/.") != std::string_view::npos || ref.starts_with('.') ||
      ref.find_first_of("~^:?*[\\ ") != std::string_view::npos;
  if (bad) refuse(cat(quoted(ref), " is no ref"));
  check_characters(ref);
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const std::string_view digits = text.substr(i + 1, 2);
    if (digits.size() != 2 || !is_hex(digits)) refuse(cat("a bad escape in ", quoted(text)));
    int value = 0;
    for (const char c : lower_case(digits))
      value = value * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

std::string cleaned_subdirectory(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) refuse("the subdirectory holds a NUL byte");
  return clean_path(text);  // ".." is clamped; links are resolved inside the checkout
}

bool truth_of(std::string_view key, std::string_view value) {
  if (value.empty() || value == "1" || value == "true") return true;
  if (value == "0" || value == "false") return false;
  refuse(cat(key, " is true or false, not ", quoted(value)));
}

struct Parts {
  std::string_view address, query, fragment;
};

Parts parts_of(std::string_view text) {
  Parts out;
  const std::size_t hash = text.find('#');
  if (hash != std::string_view::npos) out.fragment = text.substr(hash + 1);
  text = text.substr(0, hash);
  const std::size_t mark = text.find('?');
  if (mark != std::string_view::npos) out.query = text.substr(mark + 1);
  out.address = text.substr(0, mark);
  return out;
}

/// The query's keys, each at most once; the known ones only.
std::map<std::string, std::string> query_of(std::string_view query) {
  const std::vector<std::string> known = {
      "ref",    "tag",          "branch",     "commit", "checksum",
      "subdir", "keep-git-dir", "submodules", "mtime",  "fetch-by-commit"};
  std::map<std::string, std::string> out;
  if (query.empty()) return out;
  for (const std::string_view field : split(query, '&')) {
    const std::size_t equals = field.find('=');
    const std::string key = percent_decoded(field.substr(0, equals));
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      const auto near = nearest(key, known);
      refuse(cat("unknown key ", quoted(key), near ? cat(", did you mean ", *near, "?") : ""));
    }
    const std::string value = equals == std::string_view::npos
                                  ? std::string()
                                  : percent_decoded(field.substr(equals + 1));
    if (!out.emplace(key, value).second) refuse(cat("key ", quoted(key), " is given twice"));
  }
  return out;
}

void set_ref(GitUrl& url, const std::map<std::string, std::string>& query) {
  const auto value = [&](const char* key) {
    const auto found = query.find(key);
    return found == query.end() ? std::string() : found->second;
  };
  std::vector<std::string> refs;
  if (!value("ref").empty()) refs.push_back(value("ref"));
  if (!value("tag").empty()) refs.push_back(cat("refs/tags/", value("tag")));
  if (!value("branch").empty()) refs.push_back(cat("refs/heads/", value("branch")));
  if (refs.size() > 1) refuse("only one of ref, tag and branch can be given");
  if (!refs.empty()) {
    if (!url.ref.empty() && url.ref != refs[0]) refuse("the query contradicts the fragment");
    url.ref = refs[0];
  }
  const std::string commit = value("commit");
  std::string checksum = value("checksum");
  if (!commit.empty()) {
    if (!checksum.empty() && checksum != commit) refuse("commit and checksum differ");
    checksum = commit;
  }
  if (checksum.empty()) return;
  if (!is_hex(checksum) || checksum.size() < kMinChecksum || checksum.size() > 64)
    refuse(cat(quoted(checksum), " is no commit"));
  url.checksum = lower_case(checksum);
  const bool by_commit = query.count("fetch-by-commit") > 0
                             ? truth_of("fetch-by-commit", value("fetch-by-commit"))
                             : url.ref.empty();
  if (by_commit) {
    if (!is_full_commit(url.checksum)) {
      if (query.count("fetch-by-commit") > 0) refuse("fetch-by-commit needs a whole commit");
    } else {
      url.ref = url.checksum;
    }
  }
}

void set_query(GitUrl& url, std::string_view text) {
  const std::map<std::string, std::string> query = query_of(text);
  set_ref(url, query);
  for (const auto& [key, value] : query) {
    if (key == "subdir") {
      const std::string directory = cleaned_subdirectory(value);
      if (!url.subdirectory.empty() && url.subdirectory != directory)
        refuse("the query contradicts the fragment");
      url.subdirectory = directory;
    } else if (key == "keep-git-dir") {
      url.keep_git_dir = truth_of(key, value);
    } else if (key == "submodules") {
      url.submodules = truth_of(key, value);
    } else if (key == "mtime") {
      if (value != "commit" && value != "checkout")
        refuse(cat("mtime is commit or checkout, not ", quoted(value)));
      url.time = value == "commit" ? GitUrl::Time::commit : GitUrl::Time::checkout;
    }
  }
}

/// "[user[:password]@]host[:port]" to the host; users and hosts that ssh would take for options are
/// refused.
std::string host_of(std::string_view authority, std::string_view text) {
  const std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos && authority.substr(0, at).starts_with('-'))
    refuse(cat("a bad user in ", quoted(text)));
  std::string_view host = authority.substr(at == std::string_view::npos ? 0 : at + 1);
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) refuse(cat("a bad host in ", quoted(text)));
    host = host.substr(0, end + 1);
    if (host.find_first_not_of("0123456789abcdefABCDEF:.[]") != std::string_view::npos)
      refuse(cat("a bad host in ", quoted(text)));
    return lower_case(host);
  }
  host = host.substr(0, host.find(':'));
  if (host.empty() || host.starts_with('-') || !std::all_of(host.begin(), host.end(), is_word))
    refuse(cat("a bad host in ", quoted(text)));
  return lower_case(host);
}

}  // namespace

bool GitUrl::is_ssh() const noexcept {
  return remote.starts_with("ssh://") || remote.find("://") == std::string::npos;
}

std::optional<std::string> GitUrl::commit() const {
  if (!is_full_commit(ref)) return std::nullopt;
  return lower_case(ref);
}

std::string GitUrl::origin() const {
  if (!remote.starts_with("http")) return {};
  return remote.substr(0, remote.find('/', remote.find("://") + 3));
}

bool is_git_url(std::string_view text) {
  const std::string_view scheme = scheme_of(text);
  if (scheme == "git://" || scheme == "ssh://") return true;
  if (scheme.empty()) return scp_colon(text) != std::string_view::npos;
  return parts_of(text).address.ends_with(".git");
}

GitUrl parse_git_url(std::string_view text) {
  if (text.size() > kMaxUrl) refuse(cat("it is longer than ", kMaxUrl, " bytes"));
  check_characters(text);
  const Parts parts = parts_of(text);
  GitUrl url;
  const std::string_view scheme = scheme_of(parts.address);
  if (scheme.empty()) {
    const std::size_t colon = scp_colon(parts.address);
    if (colon == std::string_view::npos || parts.address.starts_with('-'))
      refuse(cat(quoted(parts.address), " is neither https, http, git, ssh nor user@host:path"));
    url.remote = std::string(parts.address);
    url.host = host_of(parts.address.substr(0, colon), parts.address);
    if (parts.address.size() == colon + 1) refuse("it has no path");
  } else {
    const std::string_view rest = parts.address.substr(scheme.size());
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    std::string_view authority = rest.substr(0, slash);
    url.host = host_of(authority, parts.address);
    if (rest.size() <= slash + 1) refuse("it has no path");
    // Credentials in the URL would be in the process list, in messages and in FETCH_HEAD.
    const std::size_t at = authority.rfind('@');
    if (scheme != "ssh://" && at != std::string_view::npos) authority.remove_prefix(at + 1);
    url.remote = cat(scheme, authority, rest.substr(slash));
  }
  if (!parts.fragment.empty()) {
    const std::size_t colon = parts.fragment.find(':');
    url.ref = std::string(parts.fragment.substr(0, colon));
    if (colon != std::string_view::npos)
      url.subdirectory = cleaned_subdirectory(parts.fragment.substr(colon + 1));
  }
  set_query(url, parts.query);
  if (!url.ref.empty()) check_ref(url.ref);
  return url;
}

}  // namespace lade::build
