#include <algorithm>

#include "libimage/base/text.h"

#include "tools/common/options.h"

namespace lade::tools {
namespace {

/// Top-level words: verbs of one word, and the first words of "index create" and the like, once
/// each.
std::vector<std::string> first_words() {
  std::vector<std::string> words;
  for (const VerbSpec* verb : verbs()) {
    if (verb->group.empty()) continue;
    std::string word(split(verb->name, ' ').front());
    // "manifest put" and "manifest get" are in different groups.
    if (std::find(words.begin(), words.end(), word) == words.end())
      words.push_back(std::move(word));
  }
  return words;
}

std::string joined(const std::vector<std::string>& words, std::string_view between = " ") {
  std::string out;
  for (const std::string& word : words) out += cat(out.empty() ? "" : between, word);
  return out;
}

std::vector<std::string> option_words(const VerbSpec& verb) {
  std::vector<std::string> words;
  for (const auto group : verb.options) {
    for (const OptionSpec& option : group) {
      words.push_back(cat("--", option.name));
      if (option.letter != 0) words.push_back(cat("-", option.letter));
    }
  }
  words.emplace_back("--help");
  return words;
}

/// The second words of `first`: {"create", "add"} for "index".
std::vector<std::string> second_words(std::string_view first) {
  std::vector<std::string> words;
  for (const VerbSpec* verb : verbs()) {
    const auto parts = split(verb->name, ' ');
    if (parts.size() == 2 && parts[0] == first) words.emplace_back(parts[1]);
  }
  return words;
}

/// The words that a second one must follow, "index" and the like.
std::vector<std::string> words_before_another() {
  std::vector<std::string> words;
  for (std::string& word : first_words()) {
    if (!second_words(word).empty()) words.push_back(std::move(word));
  }
  return words;
}

/// What a list of verbs says of `word`: its summary, or the words that follow it.
std::string summary_of(std::string_view word) {
  for (const VerbSpec* verb : verbs()) {
    if (verb->name == word) return std::string(verb->summary);
  }
  return joined(second_words(word), ", ");
}

/// 'text' for a POSIX shell between single quotes.
std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out += '\'';
}

std::string bash() {
  std::string out =
      "# bash completion for lade\n"
      "_lade() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb='' word skip=0 "
      "i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    word=${COMP_WORDS[i]}\n"
      "    if ((skip)); then skip=0; continue; fi\n"
      "    case $word in\n"
      "      --store) skip=1 ;;\n"
      "      -*) ;;\n"
      "      *) verb=\"${verb:+$verb }$word\"; case $verb in ";
  out += cat(joined(words_before_another(), "|"),
             ") ;; *) break ;; esac ;;\n"
             "    esac\n"
             "  done\n"
             "  case \"$verb:$prev\" in\n");
  for (const VerbSpec* verb : verbs()) {
    for (const auto group : verb->options) {
      for (const OptionSpec& option : group) {
        if (option.choices.empty()) continue;
        std::vector<std::string> choices(option.choices.begin(), option.choices.end());
        out += cat("    \"", verb->name, ":--", option.name, "\") COMPREPLY=($(compgen -W \"",
                   joined(choices), "\" -- \"$cur\")); return ;;\n");
      }
    }
  }
  out += "  esac\n  case \"$verb\" in\n";
  std::vector<std::string> globals;
  for (const OptionSpec& option : global_options()) globals.push_back(cat("--", option.name));
  out += cat("    '') COMPREPLY=($(compgen -W \"", joined(first_words()), " ", joined(globals),
             "\" -- \"$cur\")) ;;\n");
  for (const std::string& word : words_before_another()) {
    out += cat("    ", word, ") COMPREPLY=($(compgen -W \"", joined(second_words(word)),
               "\" -- \"$cur\")) ;;\n");
  }
  for (const VerbSpec* verb : verbs()) {
    if (verb->group.empty()) continue;
    out += cat("    '", verb->name, "') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"",
               joined(option_words(*verb)), "\" -- \"$cur\")); fi ;;\n");
  }
  return out +
         "  esac\n"
         "}\n"
         "complete -o bashdefault -o default -F _lade lade\n";
}

std::string zsh_help(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh() {
  std::string out =
      "#compdef lade\n"
      "_lade() {\n"
      "  local -a verbs\n"
      "  verbs=(\n";
  for (const std::string& word : first_words()) {
    out += cat("    ", shell_quoted(cat(word, ":", zsh_help(summary_of(word)))), "\n");
  }
  out +=
      "  )\n"
      "  local verb=''\n"
      "  local -i i=2\n"
      "  while ((i < CURRENT)); do\n"
      "    case ${words[i]} in\n"
      "      --store) ((i++)) ;;\n"
      "      -*) ;;\n"
      "      *) verb=\"${verb:+$verb }${words[i]}\"; case $verb in ";
  out += cat(joined(words_before_another(), "|"),
             ") ;; *) break ;; esac ;;\n"
             "    esac\n"
             "    ((i++))\n"
             "  done\n"
             "  case $verb in\n"
             "    '') _describe 'verb' verbs ;;\n");
  for (const std::string& word : words_before_another()) {
    out += cat("    ", word, ") compadd -- ", joined(second_words(word)), " ;;\n");
  }
  for (const VerbSpec* verb : verbs()) {
    if (verb->group.empty()) continue;
    out += cat("    '", verb->name, "') _arguments -S \\\n");
    for (const auto group : verb->options) {
      for (const OptionSpec& option : group) {
        std::string spec = cat(option.repeats ? "*" : "", "--", option.name);
        if (option.optional_value) {
          spec += "=-";
        } else if (!option.value.empty()) {
          spec += "=";
        }
        spec += cat("[", zsh_help(option.help), "]");
        if (!option.value.empty() || option.optional_value) {
          std::vector<std::string> choices(option.choices.begin(), option.choices.end());
          if (option.optional_value && option.value.empty()) choices = {"true", "false"};
          if (option.optional_value && !option.value.empty()) {
            for (const std::string_view word : split(option.value, '|')) choices.emplace_back(word);
          }
          spec += cat(":", lower_case(option.value.empty() ? "value" : option.value), ":",
                      choices.empty() ? std::string("_files") : cat("(", joined(choices), ")"));
        }
        out += cat("        ", shell_quoted(spec), " \\\n");
      }
    }
    out += "        '--help[print this help]' '*:argument:_files' ;;\n";
  }
  return out + "  esac\n}\n_lade \"$@\"\n";
}

std::string fish() {
  std::string out =
      "# fish completion for lade\n"
      "function __lade_verb\n"
      "  set -l words (commandline -opc)\n"
      "  set -e words[1]\n"
      "  set -l verb\n"
      "  set -l skip 0\n"
      "  for word in $words\n"
      "    if test $skip = 1\n"
      "      set skip 0\n"
      "    else if test \"$word\" = --store\n"
      "      set skip 1\n"
      "    else if not string match -q -- '-*' $word\n"
      "      set -a verb $word\n"
      "      contains -- \"$verb\" ";
  out += cat(joined(words_before_another()),
             "; or break\n"
             "    end\n"
             "  end\n"
             "  test \"$verb\" = \"$argv[1]\"\n"
             "end\n");
  for (const std::string& word : first_words()) {
    out += cat("complete -c lade -f -n \"__lade_verb ''\" -a ", word, "\n");
    for (const std::string& second : second_words(word)) {
      out += cat("complete -c lade -f -n \"__lade_verb ", word, "\" -a ", second, "\n");
    }
  }
  for (const VerbSpec* verb : verbs()) {
    if (verb->group.empty()) continue;
    out += cat("complete -c lade -n \"__lade_verb '", verb->name,
               "'\" -l help -s h -d 'print this help'\n");
    for (const auto group : verb->options) {
      for (const OptionSpec& option : group) {
        out += cat("complete -c lade -n \"__lade_verb '", verb->name, "'\" -l ", option.name);
        if (option.letter != 0) out += cat(" -s ", option.letter);
        if (!option.choices.empty()) {
          std::vector<std::string> choices(option.choices.begin(), option.choices.end());
          out += cat(" -x -a \"", joined(choices), "\"");
        } else if (!option.value.empty()) {
          out += " -r";
        }
        out += cat(" -d ", shell_quoted(option.help), "\n");
      }
    }
  }
  return out;
}

}  // namespace

std::string completion_script(std::string_view shell) {
  if (shell == "bash") return bash();
  if (shell == "zsh") return zsh();
  if (shell == "fish") return fish();
  throw UsageError(cat("no completions for shell ", quoted(shell), ": expected bash, zsh or fish"));
}

}  // namespace lade::tools
