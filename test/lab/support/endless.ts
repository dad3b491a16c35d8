// Program: `node endless.js PORT` answers every request with 200 and a body that never ends. It prints, when a
// connection ends, how many bytes of it were taken: the witness of what a careful client read.
import { createServer } from "node:http";

const [, , port = ""] = process.argv;
const CHUNK = Buffer.alloc(16 * 1024, "a");

createServer((request, response) => {
  response.writeHead(200, { "content-type": "text/plain" });
  const pump = (): void => {
    while (!response.destroyed && response.write(CHUNK));
  };
  response.on("drain", pump);
  response.on("error", () => response.destroy());
  request.socket.on("close", () => console.log(`taken ${request.socket.bytesWritten}`));
  pump();
}).listen(Number(port), "0.0.0.0");
