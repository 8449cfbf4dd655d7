#include <algorithm>

#include "libimage/base/text.h"

#include "tools/common/options.h"

namespace lade::tools {
namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kHelpColumn = 34;

/// `text` wrapped to kWidth, each line after the first indented by `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t column = indent;
  for (const std::string_view word : split(text, ' ')) {
    if (word.empty()) continue;
    if (column > indent && column + 1 + word.size() > kWidth) {
      out += '\n';
      out.append(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

std::string option_line(const OptionSpec& option) {
  std::string left = option.letter != 0 ? cat("  -", option.letter, ", --", option.name)
                                        : cat("      --", option.name);
  if (option.optional_value) {
    left += option.value.empty() ? "[=true|false]" : cat("[=", option.value, "]");
  } else if (!option.value.empty()) {
    left += cat(" ", option.value);
  }
  std::string help(option.help);
  if (!option.choices.empty()) {
    std::string known;
    for (const std::string_view choice : option.choices)
      known += cat(known.empty() ? "" : ", ", choice);
    help += cat(" (", known, ")");
  }
  if (option.repeats) help += " (may be repeated)";
  if (left.size() + 2 > kHelpColumn) {
    left += '\n';
    left.append(kHelpColumn, ' ');
  } else {
    left.append(kHelpColumn - left.size(), ' ');
  }
  return cat(left, wrapped(help, kHelpColumn), "\n");
}

std::string paragraphs(std::string_view text) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find("\n\n", at), text.size());
    out += cat(wrapped(text.substr(at, end - at), 0), "\n");
    at = end + 2;
    if (at < text.size()) out += '\n';
  }
  return out;
}

}  // namespace

std::string general_help() {
  std::string out =
      "lade builds, copies and inspects container images.\n\n"
      "Usage: lade [--store DIR] VERB [OPTIONS] [ARGUMENTS]\n";
  std::string_view group;
  for (const VerbSpec* verb : verbs()) {
    if (verb->group.empty()) continue;
    if (verb->group != group) {
      group = verb->group;
      out += cat("\n", group, ":\n");
    }
    out +=
        cat("  ", verb->name, std::string(verb->name.size() < 18 ? 18 - verb->name.size() : 1, ' '),
            verb->summary, "\n");
  }
  out += "\nOptions:\n";
  for (const OptionSpec& option : global_options()) out += option_line(option);
  out += "\n'lade VERB --help' explains a verb, with examples.\n";
  return out;
}

std::string verb_help(const VerbSpec& verb) {
  std::string out = cat("Usage: lade ", verb.name, " [OPTIONS]", verb.synopsis.empty() ? "" : " ",
                        verb.synopsis, "\n\n", paragraphs(verb.description), "\nOptions:\n");
  for (const auto group : verb.options) {
    for (const OptionSpec& option : group) out += option_line(option);
  }
  out += option_line({.name = "help", .letter = 'h', .help = "print this help"});
  if (!verb.examples.empty()) out += "\nExamples:\n";
  for (std::size_t i = 0; i + 1 < verb.examples.size(); i += 2) {
    out += cat("  # ", verb.examples[i], "\n  ", verb.examples[i + 1], "\n");
  }
  return out;
}

}  // namespace lade::tools
