#include "tools/common/own_verbs.h"

#include <array>

#include "libimage/base/text.h"

#include "tools/common/terminal.h"

namespace lade::tools {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += cat(out.empty() ? "" : " ", word);
  return out;
}

const VerbSpec& verb_called(const std::vector<std::string>& words) {
  const std::string name = joined(words);
  std::vector<std::string> known;
  for (const VerbSpec* verb : verbs()) {
    if (verb->name == name) return *verb;
    known.emplace_back(verb->name);
  }
  std::string message = cat("unknown verb ", quoted(name));
  if (const auto close = nearest(name, known))
    message += cat("; did you mean ", quoted(*close), "?");
  throw UsageError(message);
}

int run_completion(const Arguments& arguments, const Environment& /*environment*/) {
  print(completion_script(arguments.positional().front()));
  return 0;
}

int run_help(const Arguments& arguments, const Environment& /*environment*/) {
  print(arguments.positional().empty() ? general_help()
                                       : verb_help(verb_called(arguments.positional())));
  return 0;
}

int run_man(const Arguments& arguments, const Environment& /*environment*/) {
  print(man_page(arguments.positional().empty() ? nullptr : &verb_called(arguments.positional())));
  return 0;
}

constexpr std::array<std::string_view, 2> kCompletionExamples = {
    "Complete lade's words in this bash", "source <(lade completion bash)"};

}  // namespace

const VerbSpec kCompletionVerb = {
    .name = "completion",
    .synopsis = "SHELL",
    .summary = "print the completion script for a shell",
    .description =
        "Prints the script that teaches SHELL (bash, zsh or fish) the verbs and options of this "
        "program.",
    .examples = kCompletionExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_completion,
    .group = "Other",
};

const VerbSpec kHelpVerb = {
    .name = "help",
    .synopsis = "[VERB]",
    .summary = "explain a verb",
    .description = "Prints what 'lade --help' or 'lade VERB --help' prints.",
    .max_positional = 2,
    .run = run_help,
    .group = "Other",
};

const VerbSpec kManVerb = {
    .name = "man",
    .synopsis = "[VERB]",
    .summary = "print a manual page's source",
    .description = "Prints the roff source of the manual page of VERB, or of the whole program.",
    .max_positional = 2,
    .run = run_man,
};

}  // namespace lade::tools
