#include "tools/build/language_options.h"

#include "libimage/base/text.h"
#include "libimage/build/context_source.h"
#include "libimage/io/path.h"

namespace lade::tools {
namespace {

constexpr std::uint64_t kMaxArgumentFile = std::uint64_t{4} << 20U;

/// NAME=VALUE, or NAME alone for the environment's value; '#' begins a comment line (Buildah).
void read_argument_file(const std::string& file, const Environment& environment,
                        std::map<std::string, std::string>& out) {
  std::size_t number = 0;
  const std::string text = read_file(file, kMaxArgumentFile);
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (trimmed(line).empty() || trimmed(line).starts_with('#')) continue;
    const std::size_t equals = line.find('=');
    const std::string name(trimmed(line.substr(0, equals)));
    if (name.empty())
      throw UsageError(cat(quoted(file), " line ", number, ": expected NAME=VALUE"));
    if (equals != std::string_view::npos) {
      out[name] = std::string(line.substr(equals + 1));
    } else if (const auto set = environment.variables.find(name);
               set != environment.variables.end()) {
      out[name] = set->second;
    }
  }
}

}  // namespace

void read_language_options(const Arguments& arguments, const Environment& environment,
                           build::BuildOptions& options) {
  for (const std::string& word : arguments.values("build-context")) {
    const std::size_t equals = word.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == word.size())
      throw UsageError(cat("option --build-context takes NAME=CONTEXT, not ", quoted(word)));
    const std::string text = word.substr(equals + 1);
    if (build::parse_context_name(text).kind == build::ContextName::Kind::input)
      throw UsageError("option --build-context cannot read standard input");
    options.contexts[word.substr(0, equals)] = text;
  }
  std::map<std::string, std::string> from_files;
  for (const std::string& file : arguments.values("build-arg-file"))
    read_argument_file(file, environment, from_files);
  options.build_args.merge(from_files);
  options.cpp_flags = arguments.values("cpp-flag");
  for (const std::string& word : arguments.values("env")) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (name.empty()) throw UsageError(cat("option --env takes KEY=VALUE, not ", quoted(word)));
    if (equals != std::string::npos) {
      options.env.emplace_back(name, word.substr(equals + 1));
    } else if (const auto set = environment.variables.find(name);
               set != environment.variables.end()) {
      options.env.emplace_back(name, set->second);
    }
  }
  options.unset_env = arguments.values("unsetenv");
  options.extensions = arguments.flag("extensions");
  for (const auto& [name, value] : environment.variables) {
    const bool wanted = name == "PATH" || lower_case(name).ends_with("_proxy");
    if (wanted) options.program_environment[name] = value;
  }
}

}  // namespace lade::tools
