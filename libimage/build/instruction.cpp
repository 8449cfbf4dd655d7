#include "libimage/build/instruction.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::build {

std::string Instruction::label() const {
  constexpr std::size_t kMaxLabel = 300;
  std::string text = hide_credentials(cat(line_.keyword, " ", line_.arguments));
  if (text.size() > kMaxLabel) text = cat(text.substr(0, kMaxLabel), "...");
  return printable(text);
}

FlagSet::FlagSet(std::string_view keyword, std::vector<Flag> flags,
                 std::initializer_list<FlagRule> rules)
    : flags_(std::move(flags)) {
  for (std::size_t i = 0; i < flags_.size(); ++i) {
    const Flag& flag = flags_[i];
    const auto* rule = std::find_if(rules.begin(), rules.end(),
                                    [&](const FlagRule& r) { return r.name == flag.name; });
    if (rule == rules.end()) {
      std::vector<std::string> names;
      for (const FlagRule& known : rules) names.push_back(cat("--", known.name));
      const auto near = nearest(cat("--", flag.name), names);
      throw Error(Errc::invalid_content,
                  cat(keyword, " has no flag ", quoted(cat("--", flag.name)),
                      near ? cat(", did you mean ", *near, "?") : std::string()));
    }
    if (rule->kind == FlagRule::Kind::unsupported)
      throw Error(Errc::unsupported, cat(keyword, " --", flag.name, " is not implemented"));
    const bool needs_value =
        rule->kind == FlagRule::Kind::value || rule->kind == FlagRule::Kind::list;
    if (needs_value && (!flag.value || flag.value->empty()))
      throw Error(Errc::invalid_content, cat(keyword, " --", flag.name, " needs a value"));
    if (rule->kind == FlagRule::Kind::boolean && flag.value && *flag.value != "true" &&
        *flag.value != "false")
      throw Error(Errc::invalid_content,
                  cat(keyword, " --", flag.name, " is true or false, not ", quoted(*flag.value)));
    for (std::size_t other = 0; other < i && rule->kind != FlagRule::Kind::list; ++other) {
      if (flags_[other].name == flag.name)
        throw Error(Errc::invalid_content, cat(keyword, " --", flag.name, " is given twice"));
    }
  }
}

const Flag* FlagSet::find(std::string_view name) const {
  const auto found =
      std::find_if(flags_.begin(), flags_.end(), [&](const Flag& f) { return f.name == name; });
  return found == flags_.end() ? nullptr : &*found;
}

std::string FlagSet::value(std::string_view name) const {
  const Flag* flag = find(name);
  return flag == nullptr ? std::string() : flag->value.value_or("");
}

std::vector<std::string> FlagSet::values(std::string_view name) const {
  std::vector<std::string> out;
  for (const Flag& flag : flags_) {
    if (flag.name == name) out.push_back(flag.value.value_or(""));
  }
  return out;
}

bool FlagSet::given(std::string_view name) const { return find(name) != nullptr; }

bool FlagSet::boolean(std::string_view name, bool otherwise) const {
  const Flag* flag = find(name);
  return flag == nullptr ? otherwise : flag->value.value_or("true") == "true";
}

}  // namespace lade::build
