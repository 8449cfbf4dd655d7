#include "libimage/transports/docker_challenge.h"

#include <optional>

#include "libimage/base/text.h"

namespace lade::docker {
namespace {

bool is_token_character(char c) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kOthers.find(c) != std::string_view::npos;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<Challenge> all() {
    std::vector<Challenge> challenges;
    for (;;) {
      skip(" \t,");
      const std::string name = token();
      if (name.empty()) return challenges;
      skip(" \t");
      if (peek() != '=') {
        challenges.push_back({.scheme = lower_case(name), .parameters = {}});
        skip_token68();
        continue;
      }
      if (challenges.empty()) return challenges;
      ++at_;
      skip(" \t");
      std::optional<std::string> value = peek() == '"' ? quoted_string() : token();
      if (!value) return challenges;
      challenges.back().parameters.try_emplace(lower_case(name), *std::move(value));
    }
  }

 private:
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip(std::string_view characters) {
    while (at_ < text_.size() && characters.find(text_[at_]) != std::string_view::npos) ++at_;
  }

  std::string token() {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_token_character(text_[at_])) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  // Credentials in base64 instead of parameters, as Negotiate has them.
  void skip_token68() {
    const std::size_t end = std::min(text_.find_first_of(" \t,", at_), text_.size());
    const std::string_view word = text_.substr(at_, end - at_);
    const auto equals = word.find('=');
    const bool parameter = equals != std::string_view::npos &&
                           word.find_first_not_of('=', equals) != std::string_view::npos;
    const std::size_t next = text_.find_first_not_of(" \t", end);
    const bool spaced = next != std::string_view::npos && text_[next] == '=';
    if (!parameter && !spaced) at_ = end;
  }

  std::optional<std::string> quoted_string() {
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        return out;
      }
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out += text_[at_];
    }
    return std::nullopt;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::string Challenge::parameter(const std::string& name) const {
  const auto found = parameters.find(name);
  return found == parameters.end() ? "" : found->second;
}

std::vector<Challenge> parse_challenges(std::string_view value) { return Parser(value).all(); }

}  // namespace lade::docker
