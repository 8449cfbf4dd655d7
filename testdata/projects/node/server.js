const http = require("http");
const ms = require("ms");

http
  .createServer((request, response) => response.end(`a day has ${ms("1d")} ms\n`))
  .listen(Number(process.env.PORT), "127.0.0.1");
