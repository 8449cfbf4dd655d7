#include "libimage/template/parser.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/template/functions.h"
#include "libimage/template/go_text.h"
#include "libimage/template/lexer.h"
#include "libimage/template/number_literal.h"

namespace lade::templates {
namespace {

using Kind = Token::Kind;

/// True if nothing but blanks would be printed.
bool is_empty(const Node& node) {
  if (node.is(Node::Kind::list)) {
    return std::all_of(node.children.begin(), node.children.end(),
                       [](const NodePtr& child) { return is_empty(*child); });
  }
  return node.is(Node::Kind::text) && trimmed(node.text).empty();
}

class Parser {
 public:
  Parser(const std::string& name, std::string_view text) : name_(name), tokens_(tokenise(text)) {}

  Trees run() {
    NodePtr root = make(Node::Kind::list, 0);
    while (!peek().is(Kind::end)) {
      if (peek().is(Kind::left_delimiter) && is_define()) {
        definition();
        continue;
      }
      NodePtr node = text_or_action();
      if (ends_list(*node)) fail(cat("unexpected ", node->str()));
      root->children.push_back(std::move(node));
    }
    add(name_, std::move(root));
    return std::move(trees_);
  }

 private:
  /// Guards the stack against nesting that only an attacker writes.
  class Nested {
   public:
    explicit Nested(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kMaxNesting) parser_.fail("template is nested too deeply");
    }
    ~Nested() { --parser_.depth_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;

   private:
    Parser& parser_;
  };

  // ---- tokens ----
  const Token& at(std::size_t index) {
    index = std::min(index, tokens_.size() - 1);
    seen_ = std::max(seen_, index);
    return tokens_[index];
  }
  const Token& peek() { return at(next_); }
  const Token& take() { return at(next_++); }
  void skip_space() {
    while (peek().is(Kind::space)) ++next_;
  }
  const Token& peek_non_space() {
    skip_space();
    return peek();
  }
  const Token& take_non_space() {
    skip_space();
    return take();
  }
  const Token& expect(Kind kind, std::string_view context) {
    const Token& token = take_non_space();
    if (!token.is(kind)) unexpected(token, context);
    return token;
  }

  // ---- errors ----
  [[noreturn]] void fail(const std::string& message) const {
    throw Error(Errc::invalid_argument,
                cat("template: ", name_, ":", tokens_[seen_].line, ": ", message));
  }
  [[noreturn]] void unexpected(const Token& token, std::string_view context) const {
    if (!token.is(Kind::error)) fail(cat("unexpected ", token.describe(), " in ", context));
    std::string extra;
    if (action_line_ != 0 && action_line_ != token.line) {
      extra = cat(token.text.ends_with(" action") ? "" : " in action", " started at ", name_, ":",
                  action_line_);
    }
    fail(token.text + extra);
  }

  static NodePtr make(Node::Kind kind, std::size_t position, std::string text = {}) {
    auto node = std::make_unique<Node>();
    node->kind = kind;
    node->position = position;
    node->text = std::move(text);
    return node;
  }
  static bool ends_list(const Node& node) {
    return node.is(Node::Kind::end) || node.is(Node::Kind::else_);
  }

  // ---- definitions ----
  bool is_define() {
    std::size_t index = next_ + 1;
    while (at(index).is(Kind::space)) ++index;
    return at(index).is_keyword("define");
  }

  std::string template_name(const Token& token, std::string_view context) {
    if (!token.is(Kind::string) && !token.is(Kind::raw_string)) unexpected(token, context);
    const auto name = go_unquote(token.text);
    if (!name) fail("invalid syntax");
    return *name;
  }

  void definition() {
    constexpr std::string_view kContext = "define clause";
    take();            // {{
    take_non_space();  // define
    const std::string name = template_name(take_non_space(), kContext);
    expect(Kind::right_delimiter, kContext);
    body(name, kContext);
  }

  /// The body of a definition: it sees no variables from outside.
  void body(const std::string& name, std::string_view context) {
    std::vector<std::string> outer{"$"};
    std::swap(outer, variables_);
    const std::size_t ranges = std::exchange(range_depth_, 0);
    auto [list, end] = item_list();
    if (!end->is(Node::Kind::end)) fail(cat("unexpected ", end->str(), " in ", context));
    range_depth_ = ranges;
    std::swap(outer, variables_);
    add(name, std::move(list));
  }

  void add(const std::string& name, NodePtr tree) {
    const auto found = trees_.find(name);
    if (found == trees_.end()) {
      trees_.emplace(name, std::move(tree));
    } else if (is_empty(*found->second)) {
      found->second = std::move(tree);
    } else if (!is_empty(*tree)) {
      fail(cat("template: multiple definition of template ", go_quote(name)));
    }
  }

  // ---- lists and actions ----
  std::pair<NodePtr, NodePtr> item_list() {
    NodePtr list = make(Node::Kind::list, peek_non_space().position);
    while (!peek_non_space().is(Kind::end)) {
      NodePtr node = text_or_action();
      if (ends_list(*node)) return {std::move(list), std::move(node)};
      list->children.push_back(std::move(node));
    }
    fail("unexpected EOF");
  }

  NodePtr text_or_action() {
    const Nested nested(*this);
    const Token& token = take_non_space();
    if (token.is(Kind::text)) return make(Node::Kind::text, token.position, token.text);
    if (!token.is(Kind::left_delimiter)) unexpected(token, "input");
    action_line_ = token.line;
    NodePtr node = action();
    action_line_ = 0;
    return node;
  }

  NodePtr action() {
    const Token& token = peek_non_space();
    if (token.is(Kind::keyword) && token.text != "nil") {
      ++next_;
      if (token.text == "block") return block();
      if (token.text == "break") return jump(Node::Kind::break_, token);
      if (token.text == "continue") return jump(Node::Kind::continue_, token);
      if (token.text == "else") return else_action();
      if (token.text == "end") {
        return make(Node::Kind::end, expect(Kind::right_delimiter, "end").position);
      }
      if (token.text == "if") return branch(Node::Kind::if_, "if");
      if (token.text == "range") return branch(Node::Kind::range, "range");
      if (token.text == "template") return template_call();
      if (token.text == "with") return branch(Node::Kind::with, "with");
      --next_;
    }
    NodePtr node = make(Node::Kind::action, token.position);
    node->pipe = pipeline("command", Kind::right_delimiter);
    return node;
  }

  NodePtr jump(Node::Kind kind, const Token& word) {
    const std::string spelled = cat("{{", word.text, "}}");
    const Token& token = take_non_space();
    if (!token.is(Kind::right_delimiter)) unexpected(token, spelled);
    if (range_depth_ == 0) fail(cat(spelled, " outside {{range}}"));
    return make(kind, word.position);
  }

  NodePtr else_action() {
    const Token& token = peek_non_space();
    if (token.is_keyword("if") || token.is_keyword("with"))
      return make(Node::Kind::else_, token.position);
    return make(Node::Kind::else_, expect(Kind::right_delimiter, "else").position);
  }

  NodePtr block() {
    constexpr std::string_view kContext = "block clause";
    const Token& token = take_non_space();
    NodePtr call = make(Node::Kind::template_, token.position, template_name(token, kContext));
    call->pipe = pipeline(kContext, Kind::right_delimiter);
    body(call->text, kContext);
    return call;
  }

  NodePtr template_call() {
    constexpr std::string_view kContext = "template clause";
    const Token& token = take_non_space();
    NodePtr call = make(Node::Kind::template_, token.position, template_name(token, kContext));
    if (peek_non_space().is(Kind::right_delimiter)) {
      ++next_;
    } else {
      call->pipe = pipeline(kContext, Kind::right_delimiter);
    }
    return call;
  }

  NodePtr branch(Node::Kind kind, std::string_view word) {
    const Nested nested(*this);
    const std::size_t variables = variables_.size();
    NodePtr node = make(kind, 0);
    node->pipe = pipeline(word, Kind::right_delimiter);
    node->position = node->pipe->position;
    range_depth_ += kind == Node::Kind::range ? 1 : 0;
    auto [list, end] = item_list();
    range_depth_ -= kind == Node::Kind::range ? 1 : 0;
    node->list = std::move(list);
    if (end->is(Node::Kind::else_)) {
      // {{else if}} takes the place of the inner branch and of its {{end}}.
      if (kind != Node::Kind::range && peek().is_keyword(word)) {
        ++next_;
        node->else_list = make(Node::Kind::list, end->position);
        node->else_list->children.push_back(branch(kind, word));
      } else {
        auto [other, last] = item_list();
        if (!last->is(Node::Kind::end)) fail(cat("expected end; found ", last->str()));
        node->else_list = std::move(other);
      }
    }
    variables_.resize(variables);
    return node;
  }

  // ---- pipelines ----
  NodePtr pipeline(std::string_view context, Kind end) {
    const Nested nested(*this);
    NodePtr pipe = make(Node::Kind::pipe, peek_non_space().position);
    declarations(*pipe, context);
    for (;;) {
      const Token& token = peek_non_space();
      if (token.is(end)) {
        ++next_;
        check(*pipe, context);
        return pipe;
      }
      if (!starts_operand(token)) {
        ++next_;
        unexpected(token, context);
      }
      pipe->children.push_back(command());
    }
  }

  static bool starts_operand(const Token& token) {
    switch (token.kind) {
      case Kind::boolean:
      case Kind::character_constant:
      case Kind::dot:
      case Kind::field:
      case Kind::identifier:
      case Kind::number:
      case Kind::raw_string:
      case Kind::string:
      case Kind::variable:
      case Kind::left_paren:
        return true;
      default:
        return token.is_keyword("nil");
    }
  }

  void declarations(Node& pipe, std::string_view context) {
    while (peek_non_space().is(Kind::variable)) {
      const std::size_t before = next_;
      const Token& variable = take();
      const Token& sign = peek_non_space();
      const bool comma = sign.is(Kind::character) && sign.text == ",";
      if (!comma && !sign.is(Kind::assign) && !sign.is(Kind::declare)) {
        next_ = before;
        return;
      }
      ++next_;
      NodePtr declared = make(Node::Kind::variable, variable.position);
      declared->names = {variable.text};
      pipe.declarations.push_back(std::move(declared));
      variables_.push_back(variable.text);
      pipe.assigns = sign.is(Kind::assign);
      if (!comma) return;
      if (context != "range" || pipe.declarations.size() >= 2)
        fail(cat("too many declarations in ", context));
      const Token& next = peek_non_space();
      if (!next.is(Kind::variable) && !next.is(Kind::right_delimiter) &&
          !next.is(Kind::right_paren)) {
        fail("range can only initialize variables");
      }
    }
  }

  void check(const Node& pipe, std::string_view context) {
    if (pipe.children.empty()) fail(cat("missing value for ", context));
    for (std::size_t i = 1; i < pipe.children.size(); ++i) {
      switch (pipe.children[i]->children.front()->kind) {
        case Node::Kind::boolean:
        case Node::Kind::dot:
        case Node::Kind::nil:
        case Node::Kind::number:
        case Node::Kind::string:
          fail(cat("non executable command in pipeline stage ", i + 1));
        default:
          break;
      }
    }
  }

  NodePtr command() {
    NodePtr command = make(Node::Kind::command, peek_non_space().position);
    for (;;) {
      skip_space();
      if (NodePtr word = operand()) command->children.push_back(std::move(word));
      const Token& token = peek();
      if (token.is(Kind::right_delimiter) || token.is(Kind::right_paren)) break;
      ++next_;
      if (token.is(Kind::space)) continue;
      if (token.is(Kind::pipe)) break;
      unexpected(token, "operand");
    }
    if (command->children.empty()) fail("empty command");
    return command;
  }

  NodePtr operand() {
    NodePtr node = term();
    if (!node || !peek().is(Kind::field)) return node;
    const std::size_t position = peek().position;
    std::vector<std::string> names;
    while (peek().is(Kind::field)) names.push_back(take().text.substr(1));
    switch (node->kind) {
      case Node::Kind::field:
      case Node::Kind::variable:
        node->names.insert(node->names.end(), names.begin(), names.end());
        node->position = position;
        return node;
      case Node::Kind::boolean:
      case Node::Kind::string:
      case Node::Kind::number:
      case Node::Kind::nil:
      case Node::Kind::dot:
        fail(cat("unexpected . after term ", go_quote(node->str())));
      default:
        break;
    }
    NodePtr chain = make(Node::Kind::chain, position);
    chain->children.push_back(std::move(node));
    chain->names = std::move(names);
    return chain;
  }

  /// A literal, function, field, variable or parenthesised pipeline; nullptr if none comes next.
  NodePtr term() {
    const Token& token = peek_non_space();
    if (!starts_operand(token)) return nullptr;
    ++next_;
    switch (token.kind) {
      case Kind::identifier:
        if (find_function(token.text) == nullptr)
          fail(cat("function ", go_quote(token.text), " not defined"));
        return make(Node::Kind::identifier, token.position, token.text);
      case Kind::dot:
        return make(Node::Kind::dot, token.position);
      case Kind::keyword:
        return make(Node::Kind::nil, token.position);
      case Kind::variable:
      case Kind::field:
        return name(token);
      case Kind::left_paren:
        return pipeline("parenthesized pipeline", Kind::right_paren);
      default:
        return literal(token);
    }
  }

  NodePtr name(const Token& token) {
    NodePtr node =
        make(token.is(Kind::field) ? Node::Kind::field : Node::Kind::variable, token.position);
    if (token.is(Kind::field)) {
      node->names = {token.text.substr(1)};
      return node;
    }
    node->names = {token.text};
    if (std::find(variables_.begin(), variables_.end(), token.text) == variables_.end())
      fail(cat("undefined variable ", go_quote(token.text)));
    return node;
  }

  NodePtr literal(const Token& token) {
    Node::Kind kind = Node::Kind::number;
    Value constant;
    if (token.is(Kind::boolean)) {
      kind = Node::Kind::boolean;
      constant = Value::of(token.text == "true");
    } else if (token.is(Kind::string) || token.is(Kind::raw_string)) {
      kind = Node::Kind::string;
      const auto text = go_unquote(token.text);
      if (!text) fail("invalid syntax");
      constant = Value::of(*text);
    } else {
      constant = number(token);
    }
    NodePtr node = make(kind, token.position, token.text);
    node->constant = std::move(constant);
    return node;
  }

  Value number(const Token& token) {
    if (token.is(Kind::character_constant)) {
      const auto text = go_unquote(token.text);
      char32_t rune = 0;
      if (!text || text->empty() || decode_rune(*text, rune) != text->size())
        fail(cat("malformed character constant: ", token.text));
      return Value::of(static_cast<std::int64_t>(rune));
    }
    if (const auto integer = integer_literal(token.text)) return Value::of(*integer);
    if (const auto real = real_literal(token.text)) return Value::of(*real);
    const bool digits = token.text.find_first_not_of("+-0123456789") == std::string::npos;
    fail(cat(digits ? "integer overflow: " : "illegal number syntax: ", go_quote(token.text)));
  }

  const std::string& name_;
  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  std::size_t seen_ = 0;  ///< the furthest token looked at: messages name its line
  std::size_t depth_ = 0;
  std::size_t range_depth_ = 0;
  std::size_t action_line_ = 0;
  std::vector<std::string> variables_ = {"$"};
  Trees trees_ = {};
};

}  // namespace

Trees parse_trees(const std::string& name, std::string_view text) {
  if (text.size() > kMaxTemplateBytes) {
    throw Error(Errc::limit_exceeded, cat("template: ", name, ": ", text.size(),
                                          " bytes; the limit is ", kMaxTemplateBytes));
  }
  return Parser(name, text).run();
}

}  // namespace lade::templates
