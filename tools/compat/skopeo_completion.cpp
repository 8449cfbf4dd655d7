// skopeo completion: scripts for shells, which ask `skopeo __complete` for what a word may become,
// in cobra's form; the scripts that come with skopeo's packages work with it too.
#include <algorithm>

#include "libimage/base/text.h"
#include "libimage/template/go_text.h"
#include "libimage/transports/transports.h"

#include "tools/common/terminal.h"
#include "tools/compat/skopeo_flags.h"
#include "tools/compat/skopeo_table.h"

namespace lade::tools::compat {
namespace {

/// What a shell does beyond offering the lines: cobra's numbers.
enum class Directive { none = 0, no_files = 4 };

struct Offer {
  std::vector<std::pair<std::string, std::string>> lines = {};  ///< words with what they mean
  Directive directive = Directive::no_files;

  void add(std::string word, std::string_view meaning, std::string_view prefix) {
    if (word.starts_with(prefix)) lines.emplace_back(std::move(word), meaning);
  }
};

/// The command line before the word to complete.
struct Before {
  const Command* command = nullptr;
  std::vector<std::string> arguments = {};
  std::vector<std::string_view> given = {};  ///< names of flags
  bool awaits_value = false;
  bool only_arguments = false;  ///< after "--"
};

const FlagSpec* flag_of(const FlagGroups& groups, std::string_view word) {
  for (const FlagGroup& group : groups) {
    for (const FlagSpec& flag : group) {
      const bool named = word.starts_with("--") ? word.substr(2) == flag.name
                                                : flag.letter != 0 && word.back() == flag.letter;
      if (named) return &flag;
    }
  }
  return nullptr;
}

FlagGroups groups_of(const Command* command) {
  if (command == nullptr) return {kGlobalFlags, kRootFlags};
  FlagGroups groups = command->flags;
  groups.emplace_back(kGlobalFlags);
  return groups;
}

Before read_before(const std::vector<std::string>& words, const std::vector<Command>& all) {
  Before before;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (std::exchange(before.awaits_value, false)) continue;
    if (word == "--") {
      before.only_arguments = true;
    } else if (word.size() > 1 && word[0] == '-' && !before.only_arguments) {
      const bool complete = word.find('=') != std::string::npos;
      const FlagSpec* flag =
          flag_of(groups_of(before.command), std::string_view(word).substr(0, word.find('=')));
      if (flag == nullptr) continue;
      before.given.push_back(flag->name);
      before.awaits_value = !complete && !takes_no_value(*flag);
    } else if (before.command == nullptr && before.arguments.empty()) {
      before.command = find_command(all, word);
      if (before.command == nullptr) before.arguments.push_back(word);
    } else {
      before.arguments.push_back(word);
    }
  }
  return before;
}

void offer_flags(const FlagGroups& groups, const Before& before, std::string_view command,
                 std::string_view prefix, Offer& offer) {
  for (const FlagSpec& flag : shown_flags(groups)) {
    const bool repeats = flag.kind == Kind::texts || flag.kind == Kind::integers;
    const bool given =
        std::find(before.given.begin(), before.given.end(), flag.name) != before.given.end();
    if ((given && !repeats) || !flag.refusal.empty()) continue;
    const std::string meaning =
        flag.help == kHelpFlagText ? cat(flag.help, command) : std::string(flag.help);
    offer.add(cat("--", flag.name), meaning, prefix);
    if (flag.letter != 0 && prefix == "-") offer.add(cat("-", flag.letter), meaning, prefix);
  }
}

void offer_commands(const std::vector<Command>& all, std::string_view prefix, Offer& offer) {
  for (const Command& command : all) {
    if (!command.hidden) offer.add(std::string(command.name), command.summary, prefix);
  }
  offer.add("help", "Help about any command", prefix);
  std::sort(offer.lines.begin(), offer.lines.end());
}

void offer_arguments(const Command& command, const Before& before, std::string_view prefix,
                     Offer& offer) {
  const FlagGroup images = kImageFlags;
  const bool reads_images =
      command.name == "copy" ||
      std::any_of(command.flags.begin(), command.flags.end(),
                  [&](const FlagGroup& group) { return group.data() == images.data(); });
  if (command.name == "completion") {
    if (!before.arguments.empty()) return;
    for (const char* shell : {"bash", "fish", "zsh"})
      offer.add(shell, cat("Generate the autocompletion script for ", shell), prefix);
  } else if (reads_images) {
    for (const std::string& name : transport_names()) offer.add(cat(name, ":"), "", prefix);
    if (offer.lines.empty()) offer.directive = Directive::none;  // the rest is a path, perhaps
    std::sort(offer.lines.begin(), offer.lines.end());
  } else {
    offer.directive = Directive::none;
  }
}

Offer offer_for(const std::vector<std::string>& words) {
  const std::vector<Command> all = commands();
  const bool helps = words.size() > 1 && words.front() == "help";
  const Before before = read_before(words, all);
  const std::string_view last = words.empty() ? std::string_view() : words.back();
  Offer offer;
  if (before.awaits_value || (last.starts_with('-') && last.find('=') != std::string_view::npos)) {
    offer.directive = Directive::none;
  } else if (last.starts_with('-') && !before.only_arguments) {
    if (before.command != nullptr) {
      Offer local;
      offer_flags(before.command->flags, before, before.command->name, last, local);
      for (const FlagSpec& flag : kGlobalFlags) {
        if (!flag.hidden && flag.refusal.empty()) offer.add(cat("--", flag.name), flag.help, last);
      }
      offer.lines.insert(offer.lines.end(), local.lines.begin(), local.lines.end());
    } else {
      offer_flags({kGlobalFlags, kRootFlags}, before, "skopeo", last, offer);
    }
  } else if (before.command != nullptr) {
    offer_arguments(*before.command, before, last, offer);
  } else if (before.arguments.empty() || (helps && words.size() == 2)) {
    offer_commands(all, last, offer);
  }
  return offer;
}

constexpr std::string_view kBash = R"(# bash completion for skopeo
_skopeo() {
  local cur prev words cword out directive
  if declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref -n =: cur prev words cword
  else
    words=("${COMP_WORDS[@]}") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]}
  fi
  out=$("${words[0]}" __completeNoDesc "${words[@]:1:cword-1}" "$cur" 2>/dev/null) || return
  directive=${out##*:} out=${out%:*}
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$out" -- "$cur"))
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *: ]] && compopt -o nospace
  [[ ${#COMPREPLY[@]} -eq 0 && $((directive & 4)) -eq 0 ]] && compopt -o default
  if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$cur"; fi
}
complete -F _skopeo skopeo
)";

constexpr std::string_view kZsh = R"(#compdef skopeo
_skopeo() {
  local out line
  local -a lines offers
  out=$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null) || return 1
  lines=("${(@f)out}")
  local -i directive=${lines[-1]#:}
  for line in "${(@)lines[1,-2]}"; do
    offers+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
  done
  if ((${#offers})); then
    _describe 'completions' offers
  elif ((!(directive & 4))); then
    _files
  fi
}
if [[ ${zsh_eval_context[-1]} == loadautofunc ]]; then _skopeo "$@"; else compdef _skopeo skopeo; fi
)";

constexpr std::string_view kFish = R"(# fish completion for skopeo
function __skopeo_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l lines ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
  if test (count $lines) -gt 1
    string join \n -- $lines[1..-2]
  else if test "$lines[1]" = :0
    __fish_complete_path "$current"
  end
end
complete -c skopeo -f -a '(__skopeo_complete)'
)";

}  // namespace

std::string completions(const std::vector<std::string>& words, Descriptions descriptions) {
  const Offer offer = offer_for(words);
  std::string out;
  for (const auto& [word, meaning] : offer.lines) {
    const bool described = descriptions == Descriptions::shown && !meaning.empty();
    out += cat(word, described ? cat("\t", meaning) : std::string(), "\n");
  }
  print_error(cat("Completion ended with directive: ",
                  offer.directive == Directive::no_files ? "ShellCompDirectiveNoFileComp"
                                                         : "ShellCompDirectiveDefault",
                  "\n"));
  return cat(out, ":", static_cast<int>(offer.directive), "\n");
}

void skopeo_completion(const Invocation& invocation) {
  const std::vector<std::string>& arguments = invocation.flags.arguments();
  const std::string shell = arguments.size() == 1 ? arguments.front() : std::string();
  if (shell == "bash") return print(kBash);
  if (shell == "zsh") return print(kZsh);
  if (shell == "fish") return print(kFish);
  if (shell == "powershell") throw Fatal("completion for powershell is not implemented");
  throw Fatal("completion needs the name of a shell: bash, fish or zsh");
}

}  // namespace lade::tools::compat
