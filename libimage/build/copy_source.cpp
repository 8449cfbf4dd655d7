#include "libimage/build/copy_source.h"

#include <map>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/ignore_pattern.h"
#include "libimage/io/path.h"

namespace lade::build {
namespace {

std::string joined(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : cat(directory, "/", name);
}

void match_components(SourceTree& tree, const std::string& directory,
                      const std::vector<PathGlob>& globs, std::size_t at,
                      std::vector<std::string>& out) {
  for (const std::string& name : tree.list(directory)) {
    if (!globs[at].matches(name)) continue;
    const std::string path = joined(directory, name);
    if (at + 1 == globs.size()) {
      out.push_back(path);
    } else if (const auto found = tree.lookup(path); found && found->type == FileType::directory) {
      match_components(tree, path, globs, at + 1, out);
    }
  }
}

/// FNV-1a: it only has to tell what changed by itself.
class Fingerprint {
 public:
  Fingerprint& add(std::string_view text) {
    for (const char c : text) value_ = (value_ ^ static_cast<unsigned char>(c)) * 1099511628211U;
    value_ = (value_ ^ 0xffU) * 1099511628211U;  // an end that no text has
    return *this;
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_ = 14695981039346656037U;
};

/// Notes the file by all that counts of it but its content, which is `sha`.
void note(StepKey& key, const std::string& path, const Attributes& attributes,
          std::string_view sha) {
  Fingerprint print;
  print.add(cat(static_cast<int>(attributes.type), " ", attributes.mode, " ", attributes.uid, " ",
                attributes.gid, " ", attributes.device_major, " ", attributes.device_minor));
  print.add(attributes.link_target).add(sha);
  for (const auto& [name, value] : attributes.xattrs) print.add(name).add(value);
  key.note_file(path, print.value());
}

void add_attributes(StepKey& key, const Attributes& attributes) {
  key.add(cat(static_cast<int>(attributes.type), " ", attributes.mode, " ", attributes.uid, " ",
              attributes.gid, " ", attributes.device_major, " ", attributes.device_minor));
  key.add(attributes.link_target);
  key.add(cat(attributes.xattrs.size()));
  for (const auto& [name, value] : attributes.xattrs) key.add(name).add(value);
}

}  // namespace

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool has_wildcard(std::string_view pattern) noexcept {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern[i] == '*' || pattern[i] == '?' || pattern[i] == '[') {
      return true;
    }
  }
  return false;
}

std::vector<CopySource> match_sources(SourceTree& tree, const std::string& pattern,
                                      Missing missing) {
  const std::string cleaned = clean_path(pattern);
  std::vector<std::string> paths;
  if (!has_wildcard(cleaned)) {
    paths.push_back(cleaned);
  } else {
    std::string directory;
    std::vector<PathGlob> globs;
    for (const std::string_view part : split(cleaned, '/')) {
      if (globs.empty() && !has_wildcard(part)) {
        directory = joined(directory, std::string(part));
      } else {
        globs.emplace_back(part, PathGlob::DoubleStar::is_star);
      }
    }
    directory = tree.resolve(directory);
    const auto found = tree.lookup(directory);
    const bool there = found && found->type == FileType::directory;
    if (!there && missing == Missing::left_out) return {};
    if (!there)
      throw Error(Errc::not_found, cat("there is no directory ", quoted(directory),
                                       " to search for ", quoted(pattern)));
    match_components(tree, directory, globs, 0, paths);
  }
  std::vector<CopySource> out;
  for (const std::string& path : paths) {
    CopySource source{.path = tree.resolve(path), .name = base_name(path)};
    auto found = tree.lookup(source.path);
    if (!found && missing == Missing::left_out) continue;
    if (!found) {
      const std::string why = tree.why_hidden(source.path);
      throw Error(Errc::not_found,
                  cat("there is no ", quoted(path), why.empty() ? std::string() : cat(": ", why)));
    }
    source.attributes = std::move(*found);
    out.push_back(std::move(source));
  }
  return out;
}

void add_sources(StepKey& key, SourceTree& tree, const std::vector<CopySource>& sources,
                 unsigned jobs, const std::stop_token& stop) {
  for (const CopySource& source : sources) {
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> linked;
    key.add(source.name);
    tree.walk(source.path, source.attributes, jobs, stop, [&](const WalkedFile& file) {
      std::string_view content;
      if (file.content != nullptr)
        content = {reinterpret_cast<const char*>(file.content->data()), file.content->size()};
      key.add(std::string_view(file.path).substr(source.path.size()));
      add_attributes(key, file.attributes);
      if (key.keeps_inputs()) note(key, file.path, file.attributes, content);
      if (file.content == nullptr) return;
      key.add(content);
      if (file.identity.links < 2) return;
      const auto [first, is_new] =
          linked.try_emplace({file.identity.device, file.identity.inode}, file.path);
      if (!is_new) key.add("link").add(std::string_view(first->second).substr(source.path.size()));
    });
    key.add("end");
  }
}

}  // namespace lade::build
