import { GatewayError } from "../gateway/errors.ts";

/** What is not there any more has been removed, whoever did it. */
export async function gone(removing: Promise<void>): Promise<void> {
  try {
    await removing;
  } catch (error) {
    if (!(error instanceof GatewayError && error.code === "not_found")) throw error;
  }
}
