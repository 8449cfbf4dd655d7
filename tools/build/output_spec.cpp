#include "tools/build/output_spec.h"

#include <algorithm>
#include <array>
#include <map>
#include <thread>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/name/platform.h"

#include "tools/common/images.h"
#include "tools/common/options.h"

namespace lade::tools {
namespace {

using Type = OutputSpec::Type;

struct TypeWord {
  std::string_view word;
  Type type;
};
constexpr std::array<TypeWord, 8> kTypes = {{{"local", Type::local},
                                             {"tar", Type::tar},
                                             {"oci", Type::oci},
                                             {"docker", Type::docker},
                                             {"image", Type::image},
                                             {"registry", Type::registry},
                                             {"dir", Type::dir},
                                             {"cacheonly", Type::cacheonly}}};

struct Field {
  std::string key, value;
};

class Reader {
 public:
  Reader(OutputSpec& spec, const Field& field) : spec_(spec), field_(field) {}

  /// False if the type has no such key.
  bool take() {
    const std::string& key = field_.key;
    if (key == "dest") return take_dest();
    if (key == "platform-split" && is_files()) {
      spec_.platform_split = flag();
      return true;
    }
    if (key == "attestation-prefix" && is_files()) {
      if (field_.value.find('/') != std::string::npos) refuse("a prefix of file names has no '/'");
      spec_.attestation_prefix = field_.value;
      return true;
    }
    if (key == "mode" && spec_.type == Type::local) {
      if (field_.value != "copy") refuse("only 'copy' is implemented");
      return true;
    }
    return spec_.is_image() && (take_of_image() || take_of_layers());
  }

 private:
  [[nodiscard]] bool is_files() const {
    return spec_.type == Type::local || spec_.type == Type::tar;
  }
  [[noreturn]] void refuse(std::string_view why) const {
    throw UsageError(cat("option --output: ", field_.key, "=", printable(field_.value), ": ", why));
  }
  [[nodiscard]] bool flag() const { return parse_switch("output", field_.key, field_.value); }

  bool take_dest() {
    if (spec_.type == Type::image || spec_.type == Type::registry || spec_.type == Type::cacheonly)
      return false;
    spec_.dest = field_.value;
    return true;
  }

  bool take_of_image() {
    const std::string& key = field_.key;
    if (key == "name" && spec_.type != Type::dir) {
      for (const std::string_view name : split(field_.value, ',')) {
        if (name.empty()) refuse("a name is empty");
        spec_.names.emplace_back(name);
      }
    } else if (key == "push" && spec_.type == Type::image) {
      spec_.push = flag();
    } else if (key == "push" && spec_.type == Type::registry) {
      if (!flag()) refuse("type=registry pushes");
    } else if (key == "push-by-digest" &&
               (spec_.type == Type::image || spec_.type == Type::registry)) {
      spec_.push_by_digest = flag();
    } else if (key == "tar" && spec_.type == Type::oci) {
      spec_.archive = flag();
    } else if (key.starts_with("annotation")) {
      const std::size_t dot = key.find('.');
      std::string level = key.substr(0, dot).substr(std::string_view("annotation").size());
      if (dot == std::string::npos) return false;
      if (level.starts_with('-')) {
        level.erase(0, 1);
      } else {
        level.insert(0, "manifest");
      }
      build::Annotation annotation = annotation_at("output", level);
      annotation.key = key.substr(dot + 1);
      annotation.value = field_.value;
      if (annotation.key.empty()) refuse("the annotation has no name");
      spec_.annotations.push_back(std::move(annotation));
    } else if (key == "oci-artifact") {
      spec_.form = flag() ? build::AttestationForm::artifact : build::AttestationForm::image;
    } else {
      return false;
    }
    return true;
  }

  bool take_of_layers() {
    const std::string& key = field_.key;
    if (key == "compression") {
      static constexpr std::array<std::string_view, 5> kCodecs = {"uncompressed", "gzip", "zstd",
                                                                  "estargz", "zstd:chunked"};
      if (std::find(kCodecs.begin(), kCodecs.end(), field_.value) == kCodecs.end())
        refuse("it is uncompressed, gzip, zstd, estargz or zstd:chunked");
      spec_.codec = field_.value == "uncompressed" ? "identity" : field_.value;
    } else if (key == "compression-level") {
      const auto level = parse_decimal(field_.value);
      if (field_.value == "fastest") {
        spec_.compress.fastest = true;
      } else if (level && *level >= 1 && *level <= 22) {
        spec_.compress.level = static_cast<int>(*level);
      } else {
        refuse("it is 1 to 9 for gzip and estargz, 1 to 22 for zstd, or 'fastest'");
      }
    } else if (key == "force-compression") {
      spec_.force_compression = flag();
    } else if (key == "oci-mediatypes") {
      spec_.family = flag() ? oci::Family::oci : oci::Family::docker;
    } else if (key == "rewrite-timestamp") {
      spec_.rewrite_timestamp = flag();
    } else {
      return false;
    }
    return true;
  }

  OutputSpec& spec_;
  const Field& field_;
};

void check(const OutputSpec& spec) {
  const auto refuse = [&](std::string_view why) {
    throw UsageError(cat("option --output ", quoted(spec.text), ": ", why));
  };
  const bool needs_dest = spec.type == Type::local || spec.type == Type::tar ||
                          spec.type == Type::oci || spec.type == Type::dir;
  if (needs_dest && spec.dest.empty()) refuse("dest=PATH is missing");
  const bool directory = spec.type == Type::local || spec.type == Type::dir ||
                         (spec.type == Type::oci && !spec.archive);
  if (directory && spec.dest == "-") refuse("a directory cannot go to standard output");
  const bool levelled = spec.compress.level != 0 || spec.compress.fastest;
  if (levelled && (spec.codec.empty() || spec.codec == "identity"))
    refuse("compression-level needs compression=gzip, zstd, estargz or zstd:chunked");
  const bool zstd = spec.codec.starts_with("zstd");
  if (!zstd && spec.compress.level > 9) refuse("gzip has no level above 9");
  if (zstd && spec.compress.fastest) refuse("'fastest' is a level of gzip");
  if (spec.force_compression && spec.codec.empty()) refuse("force-compression needs compression=");
  if (spec.type == Type::docker && !spec.codec.empty() && spec.codec != "identity")
    refuse("Docker's archives hold layers without compression");
  if (spec.family == oci::Family::docker && (zstd || spec.codec == "estargz"))
    refuse(cat("compression=", spec.codec, " needs oci-mediatypes=true"));
  if (spec.family == oci::Family::docker && !spec.annotations.empty())
    refuse("annotations need oci-mediatypes=true");
  if (spec.type == Type::oci && spec.family == oci::Family::docker)
    refuse("oci-mediatypes=false: an OCI layout holds no others");
  if (spec.type == Type::docker && spec.family == oci::Family::oci)
    refuse("oci-mediatypes=true: a Docker archive has no manifests");
  if (spec.type == Type::image && spec.push_by_digest && !spec.push)
    refuse("push-by-digest needs push=true");
}

OutputSpec parse_typed(const std::string& text, const std::vector<std::string>& words) {
  OutputSpec spec{.text = text};
  std::vector<Field> fields;
  bool typed = false;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    Field field{word.substr(0, equals), equals == std::string::npos ? "" : word.substr(equals + 1)};
    if (equals == std::string::npos)
      throw UsageError(cat("option --output: ", quoted(word), " is not KEY=VALUE"));
    if (field.key != "type") {
      fields.push_back(std::move(field));
      continue;
    }
    const auto* found = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeWord& type) {
      return type.word == field.value;
    });
    if (found == kTypes.end()) {
      std::string known;
      for (const TypeWord& type : kTypes) known += cat(known.empty() ? "" : ", ", type.word);
      throw UsageError(
          cat("option --output: type=", printable(field.value), " is unknown; types are ", known));
    }
    spec.type = found->type;
    typed = true;
  }
  if (!typed) throw UsageError(cat("option --output ", quoted(text), " has no type="));
  spec.compress.threads = std::clamp(std::thread::hardware_concurrency(), 1U, 16U);
  for (const Field& field : fields) {
    if (Reader(spec, field).take()) continue;
    throw UsageError(cat("option --output ", quoted(text), ": ", quoted(field.key),
                         " is not implemented for this type"));
  }
  check(spec);
  return spec;
}

}  // namespace

std::vector<std::string> csv_fields(std::string_view option, const std::string& text) {
  std::vector<std::string> fields(1);
  bool quotes = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quotes && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      fields.back() += c;
      ++i;
    } else if (c == '"' && (quotes || fields.back().empty())) {
      quotes = !quotes;
    } else if (c == ',' && !quotes) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  if (quotes) throw UsageError(cat("option --", option, " ", quoted(text), ": a quote is open"));
  return fields;
}

bool parse_switch(std::string_view option, std::string_view key, const std::string& value) {
  const std::string word = lower_case(value);
  if (word == "true" || word == "1" || word == "t") return true;
  if (word == "false" || word == "0" || word == "f") return false;
  throw UsageError(cat("option --", option, ": ", key, " is true or false, not ", quoted(value)));
}

build::Annotation annotation_at(std::string_view option, const std::string& level) {
  using Level = build::Annotation::Level;
  static constexpr std::array<std::pair<std::string_view, Level>, 4> kLevels = {
      {{"manifest", Level::manifest},
       {"index", Level::index},
       {"manifest-descriptor", Level::manifest_descriptor},
       {"index-descriptor", Level::index_descriptor}}};
  build::Annotation annotation;
  std::string word = level;
  const std::size_t open = word.find('[');
  if (open != std::string::npos) {
    if (!word.ends_with(']'))
      throw UsageError(cat("option --", option, ": ", quoted(level), " lacks its ']'"));
    annotation.platform = parse_platform(word.substr(open + 1, word.size() - open - 2));
    word.erase(open);
  }
  const auto* found = std::find_if(kLevels.begin(), kLevels.end(),
                                   [&](const auto& known) { return known.first == word; });
  if (found == kLevels.end())
    throw UsageError(cat("option --", option, ": an annotation's level is manifest, index, ",
                         "manifest-descriptor or index-descriptor, not ", quoted(word)));
  annotation.level = found->second;
  return annotation;
}

OutputSpec parse_output(const std::string& text) {
  if (text.empty()) throw UsageError("option --output is empty");
  if (text == "-") return {.type = Type::tar, .text = text, .dest = "-"};
  const bool typed = text.starts_with("type=") || text.find(",type=") != std::string::npos ||
                     text.find("\"type=") != std::string::npos;
  if (!typed && has_transport(text)) return {.type = Type::transport, .text = text, .dest = text};
  const std::vector<std::string> words = csv_fields("output", text);
  if (!typed && words.size() == 1 && words.front() == text)
    return {.type = Type::local, .text = text, .dest = text};
  return parse_typed(text, words);
}

}  // namespace lade::tools
