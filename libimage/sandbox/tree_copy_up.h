/// "tmpcopyup": a tmpfs that begins with the content of the directory that it covers.
#pragma once

namespace lade::sandbox {

/// Copies directories, files, links and their owners and modes from `from` (O_PATH, a directory) to
/// the root of the mount `to`. Special files stay behind. Error{limit_exceeded} for trees deeper
/// than 1000 levels.
void copy_tree_up(int from, int to);

}  // namespace lade::sandbox
