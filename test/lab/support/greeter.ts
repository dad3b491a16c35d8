// Program: `node greeter.js PORT TEXT` greets each connection with a line and closes it.
import { createServer } from "node:net";

const [, , port = "", text = ""] = process.argv;
createServer((socket) => {
  socket.on("error", () => socket.destroy());
  socket.end(`${text}\r\n`);
}).listen(Number(port), "0.0.0.0");
